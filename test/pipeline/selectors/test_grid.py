"""Tests of the paper's criterion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.selector_contract import GRID, WORKING_HW, SelectorContract, coarse_of

from stseg_ros.pipeline.selectors.grid import GridSelector


class TestContract(SelectorContract):
    def make(self) -> GridSelector:
        return GridSelector(grid=GRID, working_hw=WORKING_HW)


def naive_ranking(logits_hw: np.ndarray, rows: int, columns: int) -> list[tuple[int, int]]:
    """Rank cells by |mean probability - 0.5| with plain loops."""
    height, width = logits_hw.shape[0] // rows, logits_hw.shape[1] // columns
    scored = []
    for row in range(rows):
        for column in range(columns):
            total = 0.0
            for y in range(row * height, (row + 1) * height):
                for x in range(column * width, (column + 1) * width):
                    total += 1.0 / (1.0 + math.exp(-float(logits_hw[y, x])))
            scored.append((abs(total / (height * width) - 0.5), row, column))
    return [(row, column) for _, row, column in sorted(scored)]


@pytest.mark.parametrize(('rows', 'columns'), [(4, 4), (2, 8), (4, 8)], ids=str)
@pytest.mark.parametrize('seed', range(5))
def test_order_is_the_papers(rows: int, columns: int, seed: int) -> None:
    # Sixteenths between -7.5 and 7.5, which bytes hold exactly.
    logits_hw = np.random.default_rng(seed).integers(-120, 120, (16, 32)) / 16.0
    selector = GridSelector(grid=(rows, columns), working_hw=(128, 256))
    selection = selector.select(coarse_of(logits_hw), regions=6, refine_below=1.0)
    height, width = 128 // rows, 256 // columns
    expected = [
        [column * width, row * height, (column + 1) * width, (row + 1) * height]
        for row, column in naive_ranking(logits_hw, rows, columns)[:6]
    ]
    assert selection.boxes_xyxy.tolist() == expected


def test_probabilities_decide_not_logits() -> None:
    # One cell at logit -1 throughout (p = 0.27); one half at -9, half at +5 (mean p = 0.5).
    logits_hw = np.full((2, 4), -1.0)
    logits_hw[:, 2] = -9.0
    logits_hw[:, 3] = 5.0
    selector = GridSelector(grid=(1, 2), working_hw=(16, 32))
    selection = selector.select(coarse_of(logits_hw), regions=1, refine_below=1.0)
    assert selection.boxes_xyxy.tolist() == [[16, 0, 32, 16]]


def test_score_is_twice_the_distance_from_a_half() -> None:
    selector = GridSelector(grid=(1, 1), working_hw=(16, 16))
    selection = selector.select(coarse_of(np.full((2, 2), 1.5)), regions=1, refine_below=1.0)
    expected = 2.0 / (1.0 + math.exp(-1.5)) - 1.0
    assert selection.score.tolist() == pytest.approx([expected], abs=1e-6)


def test_ties_come_in_row_major_order() -> None:
    selector = GridSelector(grid=(2, 2), working_hw=(16, 16))
    selection = selector.select(coarse_of(np.zeros((2, 2))), regions=4, refine_below=1.0)
    assert selection.boxes_xyxy.tolist() == [
        [0, 0, 8, 8],
        [8, 0, 16, 8],
        [0, 8, 8, 16],
        [8, 8, 16, 16],
    ]


def test_the_bound_is_on_the_confidence() -> None:
    # Confidences 2 |p - 0.5| of 0.6 and 0.98.
    logits_hw = np.array([[math.log(0.8 / 0.2), math.log(0.99 / 0.01)]])
    selector = GridSelector(grid=(1, 2), working_hw=(8, 16))
    some = selector.select(coarse_of(logits_hw), regions=2, refine_below=0.9)
    none = selector.select(coarse_of(logits_hw), regions=2, refine_below=0.5)
    assert some.boxes_xyxy.tolist() == [[0, 0, 8, 8]]
    assert len(none) == 0
