"""Tests of which pixels an object gets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from support.clear_weather import clear_look

from stseg_ros.datasets.synthetic.canvas import Canvas, Paint, SceneClass

CAR = Paint(scene_class=SceneClass.CAR, object_id=7, depth_m=10.0)
POLE = Paint(scene_class=SceneClass.POLE, depth_m=5.0)


def paint_box(
    canvas: Canvas, x0: float, y0: float, x1: float, y1: float, paint: Paint, grey: float = 255.0
) -> None:
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    canvas.polygons(corners, np.array([4]), np.full((1, 3), grey), paint)


def box_of(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize('height', [6, 40, 150])
@pytest.mark.parametrize(('shift', 'first'), [(0.0, 20), (0.2, 20), (0.8, 21)])
def test_a_pixel_belongs_to_what_covers_most_of_it(height: int, shift: float, first: int) -> None:
    canvas = Canvas((200, 100), clear_look())
    paint_box(canvas, 20 + shift, 10 + shift, 50 + shift, 10 + height + shift, CAR)
    expected = (first, first - 10, first + 30, first - 10 + height)
    assert box_of(canvas.class_hw == 13) == expected
    assert np.array_equal(canvas.object_hw == 7, canvas.class_hw == 13)


def test_an_edge_pixel_mixes_the_colours_by_coverage() -> None:
    canvas = Canvas((40, 40), clear_look())
    paint_box(canvas, 10.25, 10.0, 20.0, 20.0, CAR)
    row = canvas.image_hwc[15, :, 0].astype(int)
    assert row[9] == 0
    assert row[12] == 255
    assert row[10] == pytest.approx(0.75 * 255, abs=2)


def test_a_nearer_object_takes_its_pixels_away() -> None:
    canvas = Canvas((60, 60), clear_look())
    paint_box(canvas, 10, 10, 50, 50, CAR)
    paint_box(canvas, 28, 5, 32, 55, POLE, grey=0.0)
    assert (canvas.class_hw[5:55, 28:32] == 5).all()
    assert (canvas.object_hw[5:55, 28:32] == 0).all()
    assert (canvas.class_hw == 13).sum() == 40 * 40 - 40 * 4


def test_a_pole_thinner_than_half_a_pixel_takes_none() -> None:
    canvas = Canvas((60, 60), clear_look())
    paint_box(canvas, 10, 10, 50, 50, CAR)
    paint_box(canvas, 30.3, 5, 30.6, 55, POLE, grey=0.0)
    assert (canvas.class_hw == 5).sum() == 0
    assert 150 < canvas.image_hwc[30, 30, 0] < 255


def test_what_lies_outside_the_picture_is_cut() -> None:
    canvas = Canvas((60, 60), clear_look())
    paint_box(canvas, -500, 40, 9000, 700, CAR)
    assert box_of(canvas.class_hw == 13) == (0, 40, 60, 60)
    paint_box(canvas, 70, 70, 90, 90, POLE)
    assert (canvas.class_hw == 5).sum() == 0


def test_a_shadow_darkens_but_is_no_object() -> None:
    canvas = Canvas((60, 60), clear_look())
    paint_box(canvas, 0, 0, 60, 60, Paint(scene_class=SceneClass.ROAD, depth_m=1.0))
    canvas.darken(np.array([[10.0, 10.0], [50.0, 10.0], [50.0, 50.0], [10.0, 50.0]]), 0.5, 2.0)
    assert (canvas.class_hw == 0).all()
    assert canvas.image_hwc[30, 30, 0] == pytest.approx(127, abs=3)
    assert canvas.image_hwc[2, 2, 0] == 255


def test_haze_mixes_in_the_colour_of_the_horizon() -> None:
    canvas = Canvas((60, 60), clear_look(haze_m=10.0))
    paint_box(canvas, 10, 10, 50, 50, CAR, grey=0.0)
    # At the haze distance exp(-1) of a black car's own colour is left: 200 (1 - 1/e) = 126.
    assert canvas.image_hwc[30, 30, 0] == pytest.approx(126, abs=2)
