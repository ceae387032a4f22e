"""Tests of windows at any position."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.selector_contract import (
    COARSE_HW,
    GRID,
    WORKING_HW,
    SelectorContract,
    blobs,
    coarse_of,
    flat,
)

from stseg_ros.pipeline.selectors.sliding import SlidingSelector


class TestContract(SelectorContract):
    def make(self) -> SlidingSelector:
        return SlidingSelector(grid=GRID, working_hw=WORKING_HW)


def select(coarse: object, regions: int) -> tuple[list[list[int]], np.ndarray]:
    selector = SlidingSelector(grid=GRID, working_hw=WORKING_HW)
    selection = selector.select(coarse, regions=regions, refine_below=1.0)  # type: ignore[arg-type]
    return selection.boxes_xyxy.tolist(), selection.score


def test_a_window_lies_where_the_doubt_is() -> None:
    # Four doubtful pixels across the corner of four cells.
    logits_hw = np.full(COARSE_HW, -7.0)
    logits_hw[6:10, 10:14] = 0.0
    boxes, _ = select(coarse_of(logits_hw), 1)
    assert boxes == [[80, 48, 112, 80]]


@pytest.mark.parametrize('seed', range(3))
def test_each_is_the_most_doubtful_that_is_left(seed: int) -> None:
    coarse = blobs(seed)
    chance_hw = 1.0 / (1.0 + np.exp(-(coarse.logit_bytes_hw.astype(float) - 128) / 16))
    sure_hw = np.abs(2.0 * chance_hw - 1.0)
    boxes, scores = select(coarse, 5)
    assert len(boxes) == 5
    taken: list[tuple[int, int]] = []
    for (left, top, _, _), score in zip(boxes, scores, strict=True):
        lowest = min(
            math.fsum(sure_hw[y : y + 4, x : x + 4].ravel()) / 16
            for y in range(13)
            for x in range(29)
            if all(abs(y - row) >= 4 or abs(x - column) >= 4 for row, column in taken)
        )
        taken.append((top // 8, left // 8))
        assert score == pytest.approx(lowest, abs=1e-4)


def test_equal_windows_come_in_row_major_order() -> None:
    boxes, _ = select(flat(1.0), 9)
    assert [box[:2] for box in boxes] == [[32 * column, 0] for column in range(8)] + [[0, 32]]


def test_a_full_frame_ends_the_search() -> None:
    boxes, _ = select(flat(1.0), 40)
    assert len(boxes) == 32
