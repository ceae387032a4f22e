"""Tests of the vehicle bodies and of how they are seen."""

from __future__ import annotations

import numpy as np
import pytest
from support.clear_weather import clear_look

from stseg_ros.datasets.synthetic.camera import Camera
from stseg_ros.datasets.synthetic.canvas import Canvas
from stseg_ros.datasets.synthetic.traffic import Placement, VehicleLook, paint_vehicle
from stseg_ros.datasets.synthetic.vehicles import KINDS, VARIANTS_PER_KIND, vehicle_mesh

CAMERA = Camera(size_hw=(480, 640), focal_px=500.0, centre_xy=(320.0, 200.0), height_m=1.5)

# Real vehicles' lengths, widths and heights in metres.
REAL_SIZES = {
    'hatchback': ((3.4, 4.4), (1.5, 1.9), (1.3, 1.7)),
    'saloon': ((4.0, 5.0), (1.6, 2.0), (1.3, 1.6)),
    'estate': ((4.2, 5.0), (1.6, 2.0), (1.3, 1.7)),
    'suv': ((4.0, 5.0), (1.7, 2.1), (1.5, 2.0)),
    'van': ((4.4, 6.0), (1.7, 2.1), (1.8, 2.8)),
    'minibus': ((4.6, 6.0), (1.8, 2.2), (1.9, 2.9)),
    'pickup': ((4.5, 5.6), (1.7, 2.1), (1.5, 2.0)),
    'lorry': ((6.0, 16.5), (2.2, 2.6), (2.8, 4.0)),
    'bus': ((9.0, 13.0), (2.4, 2.6), (2.8, 4.4)),
}


def look_of(kind: str, variant: int = 0) -> VehicleLook:
    return VehicleLook(
        kind=kind,
        variant=variant,
        paint=(0.5, 0.1, 0.1),
        load=(0.8, 0.8, 0.8),
        braking=False,
        lamps_on=False,
    )


def seen_box(kind: str, place: Placement) -> tuple[int, int, int, int]:
    canvas = Canvas(CAMERA.size_hw, clear_look())
    paint_vehicle(canvas, CAMERA, look_of(kind), place, 1)
    rows = np.flatnonzero((canvas.object_hw == 1).any(axis=1))
    columns = np.flatnonzero((canvas.object_hw == 1).any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize('kind', KINDS)
def test_bodies_have_real_sizes_and_stand_on_the_ground(kind: str) -> None:
    for variant in range(VARIANTS_PER_KIND):
        mesh = vehicle_mesh(kind, variant)
        for extent, (low, high) in zip(mesh.size_lwh, REAL_SIZES[kind], strict=True):
            assert low <= extent <= high
        x, y, z = mesh.vertices_xyz.T
        length, width, height = mesh.size_lwh
        assert np.abs(x).max() <= length / 2 + 0.1
        assert np.abs(y).max() <= width / 2 + 0.3, 'mirrors stand out, nothing else does'
        assert -0.02 <= z.min() <= 0.05
        assert z.max() == pytest.approx(height, abs=0.02)


@pytest.mark.parametrize('kind', KINDS)
def test_normals_are_unit_vectors_square_to_their_polygons(kind: str) -> None:
    mesh = vehicle_mesh(kind, 1)
    assert np.linalg.norm(mesh.normals_xyz, axis=1) == pytest.approx(1.0)
    for face, normal in enumerate(mesh.normals_xyz):
        corners = mesh.vertices_xyz[mesh.starts[face] : mesh.starts[face + 1]]
        assert np.abs((corners - corners[0]) @ normal).max() < 0.12


@pytest.mark.parametrize('kind', ['hatchback', 'van', 'lorry', 'bus'])
def test_a_vehicle_ahead_is_as_large_as_a_pinhole_shows_it(kind: str) -> None:
    length, width, height = vehicle_mesh(kind, 0).size_lwh
    back_z = 20.0
    place = Placement(x_m=0.0, z_m=back_z + length / 2, yaw_rad=0.0)
    x0, y0, x1, y1 = seen_box(kind, place)
    assert x1 - x0 == pytest.approx(500 * width / back_z, rel=0.2)
    # The rear wheels stand a little ahead of the rear end; the horizon is row 200.
    assert y1 == pytest.approx(200 + 500 * 1.5 / (back_z + 0.3), abs=4)
    roof_z = back_z if height > 2.5 else back_z + length / 2
    assert y0 == pytest.approx(200 - 500 * (height - 1.5) / roof_z, abs=4)


def test_a_crossing_vehicle_shows_its_length() -> None:
    length, width, _ = vehicle_mesh('saloon', 0).size_lwh
    place = Placement(x_m=1.0, z_m=15.0, yaw_rad=np.pi / 2)
    x0, _, x1, _ = seen_box('saloon', place)
    near_z = 15.0 - width / 2
    assert x1 - x0 == pytest.approx(500 * length / near_z, rel=0.06)
    assert (x0 + x1) / 2 == pytest.approx(320 + 500 * 1.0 / near_z, abs=6)


def test_yaw_turns_to_the_right() -> None:
    # The front of a vehicle that points right of straight ahead lies to the right of its middle.
    front = np.array([[2.0, 0.0, 0.0]])
    place = Placement(x_m=0.0, z_m=10.0, yaw_rad=np.pi / 6)
    assert place.to_camera(front, 1.5)[0] == pytest.approx([1.0, 1.5, 10.0 + 3**0.5])


def test_a_vehicle_beside_the_camera_is_cut_by_the_near_plane() -> None:
    x0, _, x1, y1 = seen_box('estate', Placement(x_m=2.2, z_m=1.0, yaw_rad=0.0))
    assert x0 > 320
    assert (x1, y1) == (640, 480)


@pytest.mark.parametrize(
    ('kind', 'train_id'), [('saloon', 13), ('van', 13), ('pickup', 13), ('lorry', 14), ('bus', 15)]
)
def test_kinds_map_to_the_classes_of_cityscapes(kind: str, train_id: int) -> None:
    assert look_of(kind).scene_class == train_id
