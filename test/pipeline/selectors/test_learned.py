"""Tests of the selector whose weights a bundle has learned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.selector_contract import GRID, WORKING_HW, SelectorContract, blobs, coarse_of

from stseg_ros.pipeline.selectors.cell_gain import FEATURES, CellGain
from stseg_ros.pipeline.selectors.learned import LearnedSelector


def gain(bias: float = 0.0, **weights: float) -> CellGain:
    return CellGain(weights={name: weights.get(name, 0.0) for name in FEATURES}, bias=bias)


def selector(learned: CellGain) -> LearnedSelector:
    return LearnedSelector(grid=GRID, working_hw=WORKING_HW, gain=learned)


class TestLearnedContract(SelectorContract):
    def make(self) -> LearnedSelector:
        return selector(gain(bias=-0.03, margin=0.2, outline=0.1, around_margin=-0.05))


def test_the_highest_gain_comes_first() -> None:
    # The cells' probabilities, and the gains expected of them: p - 0.5, times a tenth.
    logits_hw = np.full((16, 32), -7.0)
    for column, logit in ((8, 2.0), (16, 5.0), (24, 0.5)):
        logits_hw[4:8, column : column + 4] = logit
    selection = selector(gain(bias=-0.05, probability=0.1)).select(
        coarse_of(logits_hw), regions=8, refine_below=1.0
    )
    assert selection.boxes_xyxy.tolist() == [
        [column * 8, 32, column * 8 + 32, 64] for column in (16, 8, 24)
    ]
    chances = [1.0 / (1.0 + math.exp(-logit)) for logit in (5.0, 2.0, 0.5)]
    expected = [1.0 / (1.0 + math.exp((0.1 * p - 0.05 - 0.002) / 0.02)) for p in chances]
    np.testing.assert_allclose(selection.score, expected, atol=1e-5)


@pytest.mark.parametrize(('bias', 'count'), [(0.0019, 0), (0.0021, 32)])
def test_cells_that_gain_too_little_are_left_alone(bias: float, count: int) -> None:
    selection = selector(gain(bias=bias)).select(blobs(0), regions=40, refine_below=1.0)
    assert len(selection) == count


@pytest.mark.parametrize('bias', [-1e9, 1e9])
def test_confidence_stays_between_0_and_1_whatever_was_learned(bias: float) -> None:
    confidence = selector(gain(bias=bias)).confidence(blobs(0).logit_bytes_hw)
    assert all(0.0 <= one <= 1.0 for one in confidence)
