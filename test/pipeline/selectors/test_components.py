"""Tests of windows over what stage 1 found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.selector_contract import (
    COARSE_HW,
    GRID,
    WORKING_HW,
    SelectorContract,
    coarse_of,
    flat,
)

from stseg_ros.pipeline.selectors.components import ComponentSelector


class TestContract(SelectorContract):
    def make(self) -> ComponentSelector:
        return ComponentSelector(grid=GRID, working_hw=WORKING_HW)


class TestContractFilled(SelectorContract):
    def make(self) -> ComponentSelector:
        return ComponentSelector(grid=GRID, working_hw=WORKING_HW, fill=True)


# Regions of 16 x 16 coarse pixels in a frame of 64 x 128, as in the shipped bundle.
LARGE = {'grid': (4, 8), 'working_hw': (512, 1024)}


def corners(logits_hw: np.ndarray, regions: int = 32, **options: Any) -> list[list[int]]:
    """Select on a large map; return left and top in coarse pixels."""
    selector = ComponentSelector(**{**LARGE, **options})
    selection = selector.select(coarse_of(logits_hw), regions=regions, refine_below=1.0)
    return [[left // 8, top // 8] for left, top, _, _ in selection.boxes_xyxy.tolist()]


def scene(*vehicles: tuple[int, int, int, int], logit: float = 3.0) -> np.ndarray:
    """Draw boxes (left, top, right, bottom) of vehicle on the large map."""
    logits_hw = np.full((64, 128), -7.0)
    for left, top, right, bottom in vehicles:
        logits_hw[top:bottom, left:right] = logit
    return logits_hw


def test_a_small_component_is_in_the_middle_of_its_window() -> None:
    assert corners(scene((50, 30, 56, 34))) == [[45, 24]]


def test_specks_are_dropped() -> None:
    # Four pixels, and five.
    assert corners(scene((50, 30, 52, 32))) == []
    assert len(corners(scene((50, 30, 55, 31)))) == 1


def test_diagonal_neighbours_are_one_component() -> None:
    assert len(corners(scene((50, 30, 52, 32), (52, 32, 54, 34)))) == 1


@pytest.mark.parametrize(
    ('vehicle', 'corner'),
    [((0, 0, 6, 4), [0, 0]), ((122, 60, 128, 64), [112, 48]), ((0, 30, 6, 34), [0, 24])],
)
def test_windows_are_shifted_inside(vehicle: tuple[int, int, int, int], corner: list[int]) -> None:
    assert corners(scene(vehicle)) == [corner]


def test_a_large_component_takes_windows_side_by_side() -> None:
    # 30 pixels wide with 2 of padding on both sides: three windows of 16, 48 pixels in the middle.
    found = corners(scene((40, 30, 70, 38)))
    assert sorted(found) == [[31, 26], [47, 26], [63, 26]]


def test_padding_may_ask_for_one_more_window() -> None:
    # 12 and 2 + 2 just fit into 16; 13 do not.
    assert len(corners(scene((40, 30, 52, 38)))) == 1
    assert len(corners(scene((40, 30, 53, 38)))) == 2


def test_a_component_that_fills_the_frame_is_tiled_by_the_grid() -> None:
    found = corners(scene((0, 0, 128, 64)))
    assert sorted(found) == [[16 * x, 16 * y] for x in range(8) for y in range(4)]


def test_a_window_moves_away_from_a_more_doubtful_one() -> None:
    # Their windows would start at 45 and 55; the second, surer one moves by 6 to the right.
    logits_hw = scene((50, 30, 56, 34), logit=0.5)
    logits_hw[30:34, 60:66] = 4.0
    found = corners(logits_hw)
    assert found == [[45, 24], [61, 24]]


def test_without_room_it_is_left_out() -> None:
    # Windows at 0 and 7 from the left, in a frame of two regions: the next place, 16, is 9 away.
    logits_hw = np.full((16, 32), -7.0)
    logits_hw[4:8, 5:11] = 0.5
    logits_hw[4:8, 13:17] = 4.0
    selector = ComponentSelector(grid=(1, 2), working_hw=(128, 256))
    selection = selector.select(coarse_of(logits_hw), regions=2, refine_below=1.0)
    assert selection.boxes_xyxy.tolist() == [[0, 0, 128, 128]]


def test_the_most_doubtful_come_first_and_the_rest_is_cut() -> None:
    logits_hw = scene((10, 10, 16, 14), logit=5.0)
    logits_hw[40:44, 60:66] = 0.5
    assert corners(logits_hw, regions=1) == [[55, 34]]


def test_what_is_left_over_goes_to_the_doubt() -> None:
    logits_hw = scene((50, 30, 56, 34))
    logits_hw[5:9, 100:104] = -1.0
    assert len(corners(logits_hw, regions=2)) == 1
    found = corners(logits_hw, regions=2, fill=True)
    (other,) = [corner for corner in found if corner != [45, 24]]
    assert 88 <= other[0] <= 100
    assert 0 <= other[1] <= 5


def test_a_frame_without_vehicles_costs_nothing() -> None:
    selector = ComponentSelector(grid=GRID, working_hw=WORKING_HW)
    assert len(selector.select(flat(-1.0), regions=8, refine_below=1.0)) == 0
    assert flat(-1.0).logit_bytes_hw.shape == COARSE_HW
