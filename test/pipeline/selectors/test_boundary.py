"""Tests of the choice by outlines."""

from __future__ import annotations

import numpy as np
import pytest
from support.selector_contract import GRID, WORKING_HW, SelectorContract, blobs, coarse_of, flat

from stseg_ros.pipeline.selectors.boundary import BoundarySelector


class TestContract(SelectorContract):
    def make(self) -> BoundarySelector:
        return BoundarySelector(grid=GRID, working_hw=WORKING_HW)


def has_other_neighbour(label_hw: np.ndarray, y: int, x: int) -> bool:
    height, width = label_hw.shape
    around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    return any(
        label_hw[row, column] != label_hw[y, x]
        for row, column in around
        if 0 <= row < height and 0 <= column < width
    )


@pytest.mark.parametrize('seed', range(4))
def test_confidence_is_the_share_of_pixels_off_the_outline(seed: int) -> None:
    coarse = blobs(seed)
    label_hw = coarse.logit_bytes_hw > 128
    expected = {}
    for row in range(4):
        for column in range(8):
            on = [
                has_other_neighbour(label_hw, y, x)
                for y in range(row * 4, row * 4 + 4)
                for x in range(column * 4, column * 4 + 4)
            ]
            if any(on):
                expected[column * 32, row * 32] = 1.0 - np.mean(on)
    selector = BoundarySelector(grid=GRID, working_hw=WORKING_HW)
    selection = selector.select(coarse, regions=32, refine_below=1.0)
    found = zip(selection.boxes_xyxy.tolist(), selection.score.tolist(), strict=True)
    assert expected
    assert {(box[0], box[1]): score for box, score in found} == pytest.approx(expected)


@pytest.mark.parametrize('logit', [-8.0, 7.0])
def test_a_frame_without_outlines_costs_nothing(logit: float) -> None:
    selector = BoundarySelector(grid=GRID, working_hw=WORKING_HW)
    assert len(selector.select(flat(logit), regions=8, refine_below=1.0)) == 0


def test_an_outline_between_two_cells_is_in_both() -> None:
    logits_hw = np.full((4, 8), -5.0)
    logits_hw[:, :4] = 5.0
    selector = BoundarySelector(grid=(1, 2), working_hw=(32, 64))
    selection = selector.select(coarse_of(logits_hw), regions=2, refine_below=1.0)
    assert selection.score.tolist() == [0.75, 0.75]
