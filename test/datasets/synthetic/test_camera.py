"""Tests of the synthetic camera and road against arithmetic done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.datasets.synthetic.camera import NEAR_M, Camera, RoadView, clip_near

CAMERA = Camera(size_hw=(720, 1280), focal_px=1000.0, centre_xy=(640.0, 360.0), height_m=1.5)


def straight(*, ego_l_m: float = 0.0, heading_rad: float = 0.0, bend: float = 0.0) -> RoadView:
    return RoadView(
        ego_s_m=100.0,
        ego_l_m=ego_l_m,
        heading_rad=heading_rad,
        curvature=(bend, 0.0, 0.01, 0.0),
    )


def test_projection_is_a_pinhole() -> None:
    # 1 m right, 1.5 m down, 10 m ahead: 100 px right of and 150 px below the centre.
    points = np.array([[1.0, 1.5, 10.0], [0.0, 0.0, 3.0]])
    assert CAMERA.project(points) == pytest.approx(np.array([[740.0, 510.0], [640.0, 360.0]]))


def test_a_place_on_a_straight_road() -> None:
    x_m, z_m, direction = straight(ego_l_m=-1.5).place(130.0, 2.0)
    assert (x_m, z_m, direction) == pytest.approx((3.5, 30.0, 0.0))


def test_a_car_that_points_left_sees_the_road_turn_right() -> None:
    x_m, _, direction = straight(heading_rad=-0.01).place(150.0, 0.0)
    assert x_m == pytest.approx(0.5)
    assert direction == pytest.approx(0.01)


def test_constant_curvature_bends_by_half_the_square_of_the_distance() -> None:
    road = straight(bend=0.002)
    for distance_m in (20.0, 60.0, 100.0):
        assert float(road.centre_x(distance_m)) == pytest.approx(0.001 * distance_m**2, rel=0.06)
        assert float(road.slope(distance_m)) == pytest.approx(0.002 * distance_m, rel=0.01)


def test_what_is_in_front_is_not_clipped() -> None:
    triangle = np.array([[0.0, 0.0, 2.0], [1.0, 0.0, 2.0], [0.0, 1.0, 5.0]])
    assert np.array_equal(clip_near(triangle), triangle)


def test_what_is_behind_is_clipped_away() -> None:
    assert len(clip_near(np.array([[0.0, 0.0, -2.0], [1.0, 0.0, -1.0], [0.0, 1.0, 0.1]]))) == 0


def test_a_triangle_across_the_near_plane_keeps_its_front() -> None:
    # Both cut edges run from Z = NEAR + 1 to Z = NEAR - 1, so they are cut in the middle.
    tip, back = NEAR_M + 1.0, NEAR_M - 1.0
    clipped = clip_near(np.array([[0.0, 0.0, tip], [4.0, 0.0, back], [0.0, 2.0, back]]))
    expected = np.array([[0.0, 0.0, tip], [2.0, 0.0, NEAR_M], [0.0, 1.0, NEAR_M]])
    assert clipped == pytest.approx(expected)
