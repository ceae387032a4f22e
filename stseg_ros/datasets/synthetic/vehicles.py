"""Vehicle bodies of the synthetic scenes as small polygon meshes.

Vehicle axes: x forward, y left, z up, metres, origin on the ground under the middle of the body.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from stseg_ros.datasets.synthetic import vehicle_details as details
from stseg_ros.datasets.synthetic.bodywork import (
    add_cabin,
    add_chassis,
    add_shell,
    add_tyres,
    add_wheels,
)
from stseg_ros.datasets.synthetic.camera import Float64Array
from stseg_ros.datasets.synthetic.heavy_vehicles import build_bus, build_lorry
from stseg_ros.datasets.synthetic.mesh import Material, MeshBuilder, VehicleMesh
from stseg_ros.datasets.synthetic.vehicle_details import CarForm

VARIANTS_PER_KIND = 14

KINDS = ('hatchback', 'saloon', 'estate', 'suv', 'van', 'minibus', 'pickup', 'lorry', 'bus')


# Columns: length, width, height, heights of belt, bonnet and boot lid; x of windscreen foot, roof
# front, roof rear and rear window foot; wheel radius, clearance; windows per side, glazed from x.
# fmt: off
_CAR_FORMS = {
    'hatchback': (3.9, 1.70, 1.48, 0.96, 0.80, 0.96, 0.95, 0.30, -1.35, -1.86, 0.30, 0.20, 2, -9),
    'saloon': (4.5, 1.77, 1.43, 0.94, 0.78, 0.98, 1.00, 0.30, -0.95, -1.62, 0.31, 0.19, 2, -9),
    'estate': (4.6, 1.78, 1.48, 0.95, 0.80, 0.95, 1.05, 0.35, -1.75, -2.18, 0.31, 0.19, 3, -9),
    'suv': (4.5, 1.86, 1.72, 1.08, 1.00, 1.08, 1.10, 0.50, -1.80, -2.12, 0.36, 0.27, 3, -9),
    'van': (4.9, 1.90, 2.05, 1.15, 1.02, 1.15, 1.75, 1.10, -2.36, -2.42, 0.33, 0.24, 4, 0.45),
    'minibus': (5.1, 1.94, 2.15, 1.12, 1.05, 1.12, 1.95, 1.30, -2.46, -2.52, 0.33, 0.24, 4, -9),
    'pickup': (5.0, 1.85, 1.74, 1.08, 1.00, 1.02, 1.15, 0.60, -0.55, -0.75, 0.37, 0.28, 2, -9),
}
# fmt: on


def _car_form(kind: str, rng: np.random.Generator) -> CarForm:
    scale = rng.uniform(0.94, 1.06)
    tall = rng.uniform(0.96, 1.05)
    length, width, height, belt, bonnet, lid, *xs = _CAR_FORMS[kind]
    along = [value * scale for value in xs[:4]]
    if kind in {'van', 'minibus'}:
        tall *= float(rng.choice([1.0, 1.2]))
    return CarForm(
        length=length * scale,
        width=width * rng.uniform(0.97, 1.03),
        height=height * tall,
        belt=belt * rng.uniform(0.97, 1.03),
        bonnet=bonnet * rng.uniform(0.95, 1.04),
        lid=lid * rng.uniform(0.97, 1.03),
        cowl_x=along[0],
        roof_front_x=along[1],
        roof_rear_x=along[2],
        rear_x=along[3],
        wheel_radius=xs[4] * rng.uniform(0.97, 1.06),
        clearance=xs[5],
        side_windows=int(xs[6]),
        glazed_from=xs[7],
    )


@lru_cache(maxsize=len(KINDS) * VARIANTS_PER_KIND)
def vehicle_mesh(kind: str, variant: int) -> VehicleMesh:
    """Build one vehicle body.

    Args:
        kind: one of KINDS.
        variant: 0 to VARIANTS_PER_KIND - 1; chooses proportions and details.

    Returns:
        The mesh; cached, do not write to its arrays.
    """
    rng = np.random.default_rng([77, KINDS.index(kind), variant])
    if kind == 'lorry':
        return build_lorry(rng)
    if kind == 'bus':
        return build_bus(rng)
    return _car(_car_form(kind, rng), rng, box_like=kind in {'van', 'minibus'})


def _car(form: CarForm, rng: np.random.Generator, *, box_like: bool) -> VehicleMesh:
    mesh = MeshBuilder(1, rng)
    front, rear, half = form.length / 2, -form.length / 2, form.width / 2
    low = form.clearance
    square = 0.04 if box_like else 0.0
    middle = np.linspace(form.rear_x + 0.25, form.cowl_x, 5)
    stations = [
        (rear, half * (0.87 + 2 * square), low + 0.16, form.lid * (0.80 + 4 * square)),
        (rear + 0.06, half * (0.945 + square), low + 0.08, form.lid * 0.94),
        (rear + 0.30, half * 0.985, low + 0.03, form.lid),
        *(
            (float(x), half, low, form.lid + (form.belt - form.lid) * i / 4)
            for i, x in enumerate(middle)
        ),
        ((form.cowl_x + front) / 2, half * 0.99, low, (form.belt + form.bonnet) / 2 + 0.02),
        (front - 0.35, half * 0.96, low + 0.02, form.bonnet),
        (front - 0.08, half * 0.90, low + 0.07, form.bonnet * 0.90),
        (front, half * 0.78, low + 0.14, form.bonnet * 0.78),
    ]
    add_chassis(mesh, form.length * 0.9, half * 0.86, low, form.bonnet * 0.6)
    axles = (
        rear + form.length * rng.uniform(0.18, 0.2),
        front - form.length * rng.uniform(0.17, 0.19),
    )
    add_tyres(mesh, axles, half, form.wheel_radius)
    add_shell(mesh, stations)
    add_wheels(mesh, axles, half, form.wheel_radius, arches=True)
    details.car_flanks(mesh, form, rng)
    details.car_ends(mesh, form, rng)
    _car_cabin(mesh, form, rng)
    return mesh.finish(size_lwh=(form.length, form.width, form.height))


def _car_cabin(mesh: MeshBuilder, form: CarForm, rng: np.random.Generator) -> None:
    half, top = form.width / 2, form.height
    waist, roof = half * 0.90, half * (0.68 if form.height < 1.9 else 0.80)
    mesh.part = 2
    add_cabin(
        mesh,
        z_range=(form.belt - 0.03, top),
        half_widths=(waist, roof),
        xs=(form.rear_x, form.roof_rear_x, form.roof_front_x, form.cowl_x),
        windows=form.side_windows,
        glazed_from=form.glazed_from,
        rear_glass=not (form.glazed_from > -9 and rng.random() < 0.5),
    )
    for side in (-1, 1):
        mesh.box(
            (form.cowl_x - 0.32, form.cowl_x - 0.18),
            (side * (half + 0.02), side * (half + 0.2)),
            (form.belt - 0.02, form.belt + 0.14),
            Material.PAINT,
        )


def footprint_corners(size_lwh: tuple[float, float, float], margin_m: float = 0.0) -> Float64Array:
    """Return the (4, 2) ground corners of a vehicle in its own axes, enlarged by `margin_m`."""
    half_l, half_w = size_lwh[0] / 2 + margin_m, size_lwh[1] / 2 + margin_m
    return np.array([[half_l, half_w], [half_l, -half_w], [-half_l, -half_w], [-half_l, half_w]])
