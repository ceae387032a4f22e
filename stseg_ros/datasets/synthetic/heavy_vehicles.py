"""Bodies of the synthetic lorries and buses."""

from __future__ import annotations

import numpy as np

from stseg_ros.datasets.synthetic.bodywork import (
    add_cabin,
    add_chassis,
    add_load_details,
    add_shell,
    add_tyres,
    add_wheels,
)
from stseg_ros.datasets.synthetic.mesh import Material, MeshBuilder, Span, VehicleMesh

_LORRY_HALF_WIDTH = 1.22
_BUS_HALF_WIDTH = 1.26
_BUS_BELT = 1.25
_ALL_GLAZED = -99.0


def build_lorry(rng: np.random.Generator) -> VehicleMesh:
    """Build a lorry with a load box; `rng` draws its proportions."""
    length = float(rng.choice([7.5, 9.0, 13.5])) * rng.uniform(0.95, 1.05)
    half, height, radius = _LORRY_HALF_WIDTH, rng.uniform(3.1, 3.9), 0.48
    front, rear = length / 2, -length / 2
    mesh = MeshBuilder(1, rng)
    add_chassis(mesh, length * 0.96, half * 0.75, 0.55, 1.0)
    axles = [front - 1.3, rear + 1.4]
    axles += [rear + 2.6] if length > 8 else []
    axles += [rear + 3.8] if length > 12 else []
    add_tyres(mesh, tuple(axles), half, radius)
    add_wheels(mesh, tuple(axles), half, radius, arches=False)
    cab_rear = front - 1.9
    mesh.part = 2
    _add_cab(mesh, cab_rear, front, rng.uniform(2.6, 3.2))
    mesh.part = 3
    load = Material.LOAD if rng.random() < 0.75 else Material.PAINT
    mesh.box((rear, cab_rear - 0.25), (-half, half), (1.0, height), load)
    add_load_details(mesh, (rear, cab_rear - 0.25), half, (1.0, height))
    mesh.end_patch(rear - 0.02, (-half * 0.95, half * 0.95), (0.5, 0.68), Material.DARK)
    for side in (-half, half):
        mesh.end_patch(rear - 0.03, (side * 0.95, side * 0.72), (0.78, 0.95), Material.TAIL_LAMP)
    mesh.end_patch(rear - 0.03, (-0.26, 0.26), (0.8, 0.92), Material.PLATE)
    return mesh.finish(size_lwh=(length, 2 * half, height), sort_parts=True)


def _add_cab(mesh: MeshBuilder, rear: float, front: float, top: float) -> None:
    half = _LORRY_HALF_WIDTH
    stations = [
        (rear, half * 0.95, 0.6, 1.55),
        (front - 0.5, half * 0.97, 0.45, 1.5),
        (front - 0.05, half * 0.95, 0.4, 1.45),
        (front, half * 0.9, 0.45, 1.4),
    ]
    add_shell(mesh, stations)
    add_cabin(
        mesh,
        z_range=(1.5, top),
        half_widths=(half * 0.95, half * 0.86),
        xs=(rear, rear, front - 0.35, front - 0.03),
        windows=1,
        glazed_from=rear + 0.7,
        rear_glass=False,
    )
    mesh.end_patch(front + 0.01, (-half * 0.6, half * 0.6), (0.75, 1.3), Material.DARK)
    for side in (-half, half):
        mesh.end_patch(front + 0.01, (side * 0.85, side * 0.55), (0.55, 0.75), Material.HEAD_LAMP)


def build_bus(rng: np.random.Generator) -> VehicleMesh:
    """Build a bus, sometimes with two decks; `rng` draws its proportions."""
    length, half = float(rng.uniform(9.5, 12.0)), _BUS_HALF_WIDTH
    double = rng.random() < 0.3
    height = rng.uniform(4.1, 4.3) if double else rng.uniform(2.9, 3.2)
    front, rear, radius = length / 2, -length / 2, 0.5
    mesh = MeshBuilder(1, rng)
    axles = (rear + 2.6, front - 2.4)
    add_chassis(mesh, length * 0.95, half * 0.85, 0.3, 0.8)
    add_tyres(mesh, axles, half, radius)
    middle = np.linspace(rear + 0.2, front - 0.25, 6)
    stations = [
        (rear, half * 0.95, 0.38, _BUS_BELT),
        *((float(x), half, 0.3, _BUS_BELT) for x in middle),
        (front, half * 0.93, 0.36, _BUS_BELT),
    ]
    add_shell(mesh, stations)
    add_wheels(mesh, axles, half, radius, arches=True)
    _bus_ends(mesh, half, front, rear)
    mesh.part = 2
    xs = (rear + 0.02, rear + 0.08, front - 0.2, front - 0.02)
    low, top = _BUS_BELT - 0.02, 2.3 if double else height
    _add_deck(mesh, (low, top), half * 0.97, xs, int(rng.integers(5, 9)))
    if double:
        mesh.part = 3
        xs = (rear + 0.04, rear + 0.12, front - 0.25, front - 0.1)
        _add_deck(mesh, (2.14, height), half * 0.95, xs, 7)
    return mesh.finish(size_lwh=(length, 2 * half, height))


def _add_deck(
    mesh: MeshBuilder,
    z_range: Span,
    roof: float,
    xs: tuple[float, float, float, float],
    windows: int,
) -> None:
    add_cabin(
        mesh,
        z_range=z_range,
        half_widths=(_BUS_HALF_WIDTH, roof),
        xs=xs,
        windows=windows,
        glazed_from=_ALL_GLAZED,
        rear_glass=True,
    )


def _bus_ends(mesh: MeshBuilder, half: float, front: float, rear: float) -> None:
    for side in (-1, 1):
        mesh.end_patch(
            front + 0.01, (side * half * 0.88, side * half * 0.6), (0.55, 0.8), Material.HEAD_LAMP
        )
        mesh.end_patch(
            rear - 0.01, (side * half * 0.9, side * half * 0.72), (0.7, 1.15), Material.TAIL_LAMP
        )
    mesh.end_patch(front + 0.01, (-half * 0.5, half * 0.5), (0.45, 0.62), Material.DARK)
    mesh.end_patch(front + 0.015, (-0.26, 0.26), (0.66, 0.78), Material.PLATE)
    mesh.end_patch(rear - 0.01, (-half * 0.5, half * 0.5), (0.75, 1.2), Material.DARK)
    mesh.end_patch(rear - 0.015, (-0.26, 0.26), (0.5, 0.62), Material.PLATE)
