"""Tests of the criteria that average the doubt of pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.selector_contract import GRID, WORKING_HW, SelectorContract, coarse_of

from stseg_ros.pipeline.selectors.grid import GridSelector
from stseg_ros.pipeline.selectors.uncertainty import EntropySelector, MarginSelector


class TestMarginContract(SelectorContract):
    def make(self) -> MarginSelector:
        return MarginSelector(grid=GRID, working_hw=WORKING_HW)


class TestEntropyContract(SelectorContract):
    def make(self) -> EntropySelector:
        return EntropySelector(grid=GRID, working_hw=WORKING_HW)


def margin(chance: float) -> float:
    return abs(2.0 * chance - 1.0)


def certainty(chance: float) -> float:
    return 1.0 + chance * math.log2(chance) + (1.0 - chance) * math.log2(1.0 - chance)


@pytest.mark.parametrize(
    ('kind', 'sure'), [(MarginSelector, margin), (EntropySelector, certainty)]
)
@pytest.mark.parametrize('seed', range(3))
def test_confidence_is_the_mean_over_pixels(
    kind: type[MarginSelector | EntropySelector], sure: object, seed: int
) -> None:
    assert callable(sure)
    logits_hw = np.random.default_rng(seed).integers(-120, 120, (16, 32)) / 16.0
    selection = kind(grid=GRID, working_hw=WORKING_HW).select(
        coarse_of(logits_hw), regions=5, refine_below=1.0
    )
    expected = sorted(
        (
            np.mean(
                [
                    sure(1.0 / (1.0 + math.exp(-logits_hw[y, x])))
                    for y in range(row, row + 4)
                    for x in range(column, column + 4)
                ]
            ),
            [column * 8, row * 8, column * 8 + 32, row * 8 + 32],
        )
        for row in range(0, 16, 4)
        for column in range(0, 32, 4)
    )[:5]
    assert selection.boxes_xyxy.tolist() == [box for _, box in expected]
    np.testing.assert_allclose(selection.score, [score for score, _ in expected], atol=1e-4)


@pytest.mark.parametrize('kind', [MarginSelector, EntropySelector])
def test_a_sharp_edge_is_no_doubt(kind: type[MarginSelector | EntropySelector]) -> None:
    # The first cell is half surely vehicle, half surely not; the second is at p = 0.27.
    logits_hw = np.array([[7.0, -7.0, -1.0, -1.0]] * 2)
    sizes = {'grid': (1, 2), 'working_hw': (16, 32)}
    by_pixel = kind(**sizes).select(coarse_of(logits_hw), regions=1, refine_below=1.0)
    by_mean = GridSelector(**sizes).select(coarse_of(logits_hw), regions=1, refine_below=1.0)
    assert by_pixel.boxes_xyxy.tolist() == [[16, 0, 32, 16]]
    assert by_mean.boxes_xyxy.tolist() == [[0, 0, 16, 16]]
