"""Lamps, plates, seams and trim of the synthetic cars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stseg_ros.datasets.synthetic.mesh import Material, MeshBuilder, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CarForm:
    """Side view of a car: lengths in metres along x from the middle, heights in metres."""

    length: float
    width: float
    height: float
    belt: float
    bonnet: float
    lid: float
    cowl_x: float
    roof_front_x: float
    roof_rear_x: float
    rear_x: float
    wheel_radius: float
    clearance: float
    side_windows: int
    glazed_from: float


def car_ends(mesh: MeshBuilder, form: CarForm, rng: np.random.Generator) -> None:
    """Add bumpers, lamps, plates and grille."""
    bumper = Material.DARK if rng.random() < 0.35 else Material.PAINT
    _rear(mesh, form, rng, bumper)
    _front(mesh, form, rng, bumper)


def _rear(mesh: MeshBuilder, form: CarForm, rng: np.random.Generator, bumper: Material) -> None:
    rear, half, low, lid = -form.length / 2 - 0.012, form.width / 2, form.clearance, form.lid
    plate_z = lid * (0.66 if rng.random() < 0.6 else 0.48)
    lamp_top = lid * rng.uniform(0.86, 0.93)
    lamp_z = (lamp_top - rng.uniform(0.14, 0.28), lamp_top)
    lamp_w = half * rng.uniform(0.22, 0.36)
    wide = (-half * 0.8, half * 0.8)
    mesh.end_patch(rear, wide, (low + 0.14, low + 0.34), bumper)
    _fine(mesh, rear, wide, (low + 0.34, low + 0.36), Material.SEAM)
    mesh.end_patch(rear, (-half * 0.7, half * 0.7), (low + 0.05, low + 0.14), Material.DARK)
    for side in (-1, 1):
        _tail_lamp(mesh, form, side, lamp_w, lamp_z)
        seam = side * half * 0.62
        _fine(mesh, rear, (seam - 0.01, seam + 0.01), (low + 0.36, lamp_z[0]), Material.SEAM)
    _fine(mesh, rear, (-half * 0.6, half * 0.6), (lid * 0.93, lid * 0.945), Material.SEAM)
    _fine(mesh, rear, (-0.05, 0.05), (lid * 0.84, lid * 0.90), Material.CHROME)
    if rng.random() < 0.3:
        _fine(mesh, rear, (-0.35, 0.35), (plate_z + 0.065, plate_z + 0.095), Material.CHROME)
    _plate(mesh, rear - 0.004, plate_z, rng)


def _tail_lamp(mesh: MeshBuilder, form: CarForm, side: int, lamp_w: float, lamp_z: Span) -> None:
    rear, half = -form.length / 2 - 0.012, form.width / 2
    outer, inner = side * half * 0.87, side * (half * 0.87 - lamp_w)
    mesh.end_patch(rear, (outer, inner), lamp_z, Material.TAIL_LAMP)
    mesh.side_patch(side * half * 0.945, (rear + 0.02, rear + 0.24), lamp_z, Material.TAIL_LAMP)
    split = lamp_z[0] + 0.4 * (lamp_z[1] - lamp_z[0])
    clear = (outer + (inner - outer) * 0.3, inner)
    _fine(mesh, rear - 0.002, clear, (lamp_z[0], split), Material.HEAD_LAMP)


def _front(mesh: MeshBuilder, form: CarForm, rng: np.random.Generator, bumper: Material) -> None:
    front, half, low, bonnet = form.length / 2 + 0.012, form.width / 2, form.clearance, form.bonnet
    lamp_z = bonnet * rng.uniform(0.74, 0.80)
    mesh.end_patch(front, (-half * 0.76, half * 0.76), (low + 0.22, low + 0.36), bumper)
    mesh.end_patch(front, (-half * 0.74, half * 0.74), (low + 0.08, low + 0.22), Material.DARK)
    grille = half * rng.uniform(0.3, 0.5)
    mesh.end_patch(front, (-grille, grille), (lamp_z - 0.13, lamp_z + 0.04), Material.DARK)
    for z in np.linspace(lamp_z - 0.11, lamp_z + 0.02, int(rng.integers(2, 5))):
        _fine(mesh, front, (-grille, grille), (z, z + 0.015), Material.CHROME)
    badge = (lamp_z - 0.09, lamp_z + 0.03)
    _fine(mesh, front + 0.002, (-0.06, 0.06), badge, Material.CHROME, layer=3)
    for side in (-1, 1):
        y_range = (side * half * 0.86, side * half * rng.uniform(0.46, 0.56))
        _head_lamp(mesh, form, side, y_range, lamp_z)
        fog = side * half * 0.62
        _fine(mesh, front, (fog - 0.07, fog + 0.07), (low + 0.11, low + 0.19), Material.CHROME)
    _plate(mesh, front + 0.004, low + 0.28, rng)


def _head_lamp(mesh: MeshBuilder, form: CarForm, side: int, y_range: Span, z: float) -> None:
    front, half = form.length / 2 + 0.012, form.width / 2
    outer, inner = y_range
    mesh.end_patch(front, y_range, (z - 0.09, z + 0.08), Material.HEAD_LAMP)
    around = (front - 0.3, front - 0.05)
    mesh.side_patch(side * half * 0.91, around, (z - 0.06, z + 0.08), Material.HEAD_LAMP)
    rim = (outer + (inner - outer) * 0.55, inner)
    _fine(mesh, front + 0.001, rim, (z - 0.07, z), Material.INTERIOR)


def _fine(
    mesh: MeshBuilder, x: float, y_range: Span, z_range: Span, material: Material, layer: int = 2
) -> None:
    mesh.end_patch(x, y_range, z_range, material, layer=layer, detail=True)


def _plate(mesh: MeshBuilder, x: float, z: float, rng: np.random.Generator) -> None:
    mesh.end_patch(x, (-0.26, 0.26), (z - 0.055, z + 0.055), Material.PLATE, layer=3)
    y = -0.22
    while y < 0.18:
        wide = float(rng.uniform(0.03, 0.05))
        _fine(mesh, x * 1.0005, (y, y + wide), (z - 0.035, z + 0.035), Material.SEAM, layer=4)
        y += wide + 0.025


def car_flanks(mesh: MeshBuilder, form: CarForm, rng: np.random.Generator) -> None:
    """Add sills, door seams, handles and trim."""
    half, low, belt = form.width / 2, form.clearance, form.belt
    doors = np.linspace(form.rear_x + 0.55, form.cowl_x - 0.1, 3 if form.side_windows < 4 else 4)
    between = (form.rear_x + 0.5, form.cowl_x)
    strips = [
        (between, (low, low + 0.09), Material.DARK),
        *(((x - 0.012, x + 0.012), (low + 0.1, belt * 0.93), Material.SEAM) for x in doors),
    ]
    for x in doors[:-1]:
        strips.append(((x + 0.08, x + 0.26), (belt * 0.84, belt * 0.87), Material.SEAM))
        strips.append(((x + 0.07, x + 0.25), (belt * 0.86, belt * 0.885), Material.CHROME))
    if rng.random() < 0.4:
        strips.append((between, (belt * 0.55, belt * 0.61), Material.DARK))
    crease = (form.rear_x + 0.3, form.cowl_x + 0.4)
    strips.append((crease, (belt * 0.79, belt * 0.797), Material.SEAM))
    for side in (-1, 1):
        for x_range, z_range, material in strips:
            mesh.side_patch(side * (half + 0.004), x_range, z_range, material, detail=True)
