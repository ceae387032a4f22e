"""Large pieces of vehicle bodies: shells, cabins with windows, wheels, load boxes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from stseg_ros.datasets.synthetic.camera import Float64Array
from stseg_ros.datasets.synthetic.mesh import Material, MeshBuilder, Span

_RING_Y = (0.90, 0.985, 1.0, 0.985, 0.93, 0.74)
_RING_Z = (0.0, 0.20, 0.52, 0.80, 0.95, 1.0)

Vector = tuple[float, float, float]


def add_shell(mesh: MeshBuilder, stations: list[tuple[float, float, float, float]]) -> None:
    """Add the lower body as a loft along x.

    Args:
        mesh: gets the polygons.
        stations: (x, half width, bottom z, top z) from the rear to the front.
    """
    rings = []
    for x, half, low, top in stations:
        shape = zip(_RING_Y, _RING_Z, strict=True)
        right = [(x, -half * y, low + (top - low) * z) for y, z in shape]
        left = [(x, -y, z) for x, y, z in reversed(right)]
        rings.append(np.array([*right, *left]))
    last = len(_RING_Y) * 2 - 1
    for back, front in pairwise(rings):
        for i in range(last):
            quad = np.array([back[i], back[i + 1], front[i + 1], front[i]])
            outward = np.array([0.0, quad[:, 1].mean(), 0.1 if i not in {0, last - 1} else 0.0])
            if i == len(_RING_Y) - 1:
                outward = np.array([0.0, 0.0, 1.0])
            mesh.polygon(quad, outward, Material.PAINT)
    for ring, direction in ((rings[0], -1.0), (rings[-1], 1.0)):
        for i in range(len(_RING_Y) - 1):
            quad = np.array([ring[i], ring[i + 1], ring[last - i - 1], ring[last - i]])
            mesh.polygon(quad, (direction, 0, 0), Material.PAINT)


def add_chassis(mesh: MeshBuilder, length: float, half: float, low: float, top: float) -> None:
    """Add the dark block under the body that closes it towards the ground."""
    x_range, y_range = (-length / 2, length / 2), (-half, half)
    mesh.box(x_range, y_range, (low * 0.75, top), Material.UNDERSIDE, part=0)


def add_tyres(mesh: MeshBuilder, axles_x: tuple[float, ...], half: float, radius: float) -> None:
    """Add the treads, as seen from ahead or behind below the body."""
    for x in axles_x:
        for side in (-1, 1):
            x_range = (x - radius * 0.8, x + radius * 0.8)
            y_range = (side * half * 0.97, side * (half * 0.97 - 0.2))
            mesh.box(x_range, y_range, (0.0, radius * 1.5), Material.TYRE, part=0)


def add_wheels(
    mesh: MeshBuilder, axles_x: tuple[float, ...], half: float, radius: float, *, arches: bool
) -> None:
    """Add arch, tyre and rim discs on both sides."""
    angles = np.linspace(0, 2 * np.pi, 19)[:-1]
    discs = [
        (radius, 0.012, Material.TYRE),
        (radius * 0.66, 0.02, Material.RIM),
        (radius * 0.2, 0.03, Material.DARK),
    ]
    if arches:
        discs.insert(0, (radius * 1.16, 0.006, Material.UNDERSIDE))
    for x in axles_x:
        for side in (-1, 1):
            for order, (size, out, material) in enumerate(discs):
                y = np.full(18, side * (half + out))
                height = np.maximum(radius + size * np.sin(angles), 0.0)
                ring = [x + size * np.cos(angles), y, height]
                mesh.polygon(np.column_stack(ring), (0, side, 0), material, layer=2 + order)
            _add_spokes(mesh, x, side * (half + 0.025), radius)


def _add_spokes(mesh: MeshBuilder, x: float, y: float, radius: float) -> None:
    count = int(mesh.rng.integers(5, 8))
    for k in range(count):
        middle, reach = 2 * np.pi * k / count + 0.3, 2 * np.pi / count * 0.3
        inner, outer = radius * 0.24, radius * 0.58
        wedge = [(inner, -reach), (outer, -reach), (outer, reach), (inner, reach)]
        points = [
            (x + r * np.cos(middle + a), y, radius + r * np.sin(middle + a)) for r, a in wedge
        ]
        mesh.polygon(points, (0, y, 0), Material.DARK, layer=6, detail=True)


def add_load_details(mesh: MeshBuilder, x_range: Span, half: float, z_range: Span) -> None:
    """Add a stripe along the sides of a load box and the gap and rails of its rear doors."""
    x0, x1 = x_range
    low, top = z_range
    band = (low + 0.35 * (top - low), low + 0.6 * (top - low))
    for side in (-1, 1):
        y = side * (half + 0.01)
        mesh.side_patch(y, (x0 + 0.8, x1 - 0.8), band, Material.STRIPE)
        mesh.side_patch(y, (x0, x1), (low, low + 0.08), Material.DARK)
    mesh.end_patch(x0 - 0.01, (-0.02, 0.02), (low, top), Material.DARK)
    mesh.end_patch(x0 - 0.01, (-half, half), (low, low + 0.1), Material.DARK)


def add_cabin(
    mesh: MeshBuilder,
    *,
    z_range: Span,
    half_widths: Span,
    xs: tuple[float, float, float, float],
    windows: int,
    glazed_from: float,
    rear_glass: bool,
) -> None:
    """Add a glazed upper body.

    Args:
        mesh: gets the polygons.
        z_range: heights of its lower edge and of the roof.
        half_widths: half widths at the lower edge and at the roof.
        xs: foot of the rear window, rear end and front end of the roof, foot of the windscreen.
        windows: number of windows on each side.
        glazed_from: no side window reaches behind this x.
        rear_glass: whether there is a rear window.
    """
    rear_x, roof_rear, roof_front, cowl = xs
    belt_z, top_z = z_range
    waist, roof = half_widths
    eave = top_z - min(0.07, 0.2 * (top_z - belt_z))
    lower = _edges(rear_x, cowl, waist, belt_z)
    upper = _edges(roof_rear, roof_front, roof, eave)
    crown = _edges(roof_rear + 0.12, roof_front - 0.2, roof * 0.8, top_z)
    screen = np.array([lower[-1][1], lower[1][1], upper[1][1], upper[-1][1]])
    back = np.array([lower[-1][0], lower[1][0], upper[1][0], upper[-1][0]])
    _add_end_pane(mesh, screen, (1, 0, 0.2), (0.05, 0.95, 0.06, 0.96), glazed=True)
    _add_end_pane(mesh, back, (-1, 0, 0.2), (0.10, 0.90, 0.18, 0.90), glazed=rear_glass)
    for s in (-1, 1):
        side = np.array([lower[s][0], lower[s][1], upper[s][1], upper[s][0]])
        mesh.polygon(side, (0, s, 0), Material.PAINT)
        _add_side_windows(mesh, side, s, windows, glazed_from)
    _add_roof(mesh, upper, crown)


_Edges = dict[int, tuple[Float64Array, Float64Array]]


def _edges(x_rear: float, x_front: float, half: float, z: float) -> _Edges:
    """Return the rear and front ends of the edges on the right (-1) and on the left (1)."""
    return {
        s: (np.array([x_rear, s * half, z]), np.array([x_front, s * half, z])) for s in (-1, 1)
    }


def _add_roof(mesh: MeshBuilder, upper: _Edges, crown: _Edges) -> None:
    for s in (-1, 1):
        shoulder = [upper[s][0], upper[s][1], crown[s][1], crown[s][0]]
        mesh.polygon(shoulder, (0, s, 0.5), Material.PAINT)
    for end, out in ((0, -1.0), (1, 1.0)):
        brow = [upper[-1][end], upper[1][end], crown[1][end], crown[-1][end]]
        mesh.polygon(brow, (out, 0, 0.5), Material.PAINT)
    top = [crown[-1][0], crown[-1][1], crown[1][1], crown[1][0]]
    mesh.polygon(top, (0, 0, 1), Material.PAINT)


def _add_end_pane(
    mesh: MeshBuilder,
    quad: Float64Array,
    outward: Vector,
    inset: tuple[float, float, float, float],
    *,
    glazed: bool,
) -> None:
    mesh.polygon(quad, outward, Material.PAINT)
    if glazed:
        pane = _inside(quad, inset)
        mesh.polygon(pane, outward, Material.GLASS, layer=1)
        _add_behind_glass(mesh, pane, outward, seats=((0.16, 0.36), (0.64, 0.84)))


def _add_side_windows(
    mesh: MeshBuilder, side: Float64Array, sign: int, count: int, glazed_from: float
) -> None:
    edges = np.linspace(0.05, 0.955, count + 1)
    for left, right in pairwise(edges):
        pane = _inside(side, (left + 0.008, right - 0.012, 0.10, 0.88))
        if float(pane[:, 0].min()) >= glazed_from:
            mesh.polygon(pane, (0, sign, 0), Material.GLASS, layer=1)
            _add_behind_glass(mesh, pane, (0, sign, 0), seats=((0.3, 0.62),))


def _add_behind_glass(
    mesh: MeshBuilder, pane: Float64Array, outward: Vector, *, seats: tuple[Span, ...]
) -> None:
    """Add what shows in a window: sill and seats behind it, bright reflections on it."""
    rng = mesh.rng
    shapes = [(_inside(pane, (0, 1, 0, rng.uniform(0.1, 0.3))), Material.INTERIOR)]
    for left, right in seats:
        seat = _inside(pane, (left, right, 0.1, rng.uniform(0.5, 0.75)))
        shapes.append((seat, Material.INTERIOR))
    if rng.random() < 0.75:
        low = rng.uniform(0.45, 0.8)
        a, b = sorted(rng.uniform(0, 1, 2))
        shapes.append((_inside(pane, (a * 0.5, 0.5 + b * 0.5, low, 1.0)), Material.REFLECTION))
    if rng.random() < 0.6:
        left = rng.uniform(0, 0.7)
        streak = _inside(pane, (left, left + rng.uniform(0.08, 0.28), 0.05, 0.95))
        streak[:2] += (streak[1] - streak[0]) * rng.uniform(-0.8, 0.8)
        shapes.append((streak, Material.REFLECTION))
    for points, material in shapes:
        layer = 2 if material == Material.INTERIOR else 3
        mesh.polygon(points, outward, material, layer=layer, detail=True)


def _inside(quad: Float64Array, inset: tuple[float, float, float, float]) -> Float64Array:
    """Return the part of a quad between (left, right, low, high) fractions of its edges."""
    left, right, low, high = inset

    def at(u: float, v: float) -> Float64Array:
        bottom = quad[0] + (quad[1] - quad[0]) * u
        top = quad[3] + (quad[2] - quad[3]) * u
        return np.asarray(bottom + (top - bottom) * v, dtype=np.float64)

    return np.array([at(left, low), at(right, low), at(right, high), at(left, high)])
