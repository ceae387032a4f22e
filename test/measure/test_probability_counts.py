from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels
from stseg_ros.measure.probability_counts import (
    best_threshold,
    count_probabilities,
    counts_at,
    soft_dice,
)
from stseg_ros.pipeline.fuse import threshold_mask


@pytest.fixture
def logit_bytes_hw() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (40, 60), dtype=np.uint8)


@pytest.fixture
def truth_hw(logit_bytes_hw: np.ndarray) -> np.ndarray:
    """Vehicles mostly where the logits are high, and a corner that is ignored."""
    noise = np.random.default_rng(4).normal(0.0, 40.0, logit_bytes_hw.shape)
    truth = (logit_bytes_hw + noise > 190).astype(np.uint8)
    truth[:10, :10] = 255
    return truth


def chance_of(logit_bytes: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-(logit_bytes.astype(float) - 128.0) / 16.0))


@pytest.mark.parametrize('threshold', [0.02, 0.3, 0.5, 0.65, 0.99])
def test_threshold_agrees_with_the_pipelines_mask(
    logit_bytes_hw: np.ndarray, truth_hw: np.ndarray, threshold: float
) -> None:
    counts = count_probabilities(logit_bytes_hw, truth_hw)
    mask_hw = threshold_mask(logit_bytes_hw, (40, 60), threshold)
    assert counts_at(counts, threshold) == count_pixels(mask_hw, truth_hw)


def test_soft_dice_is_its_formula(logit_bytes_hw: np.ndarray, truth_hw: np.ndarray) -> None:
    known = truth_hw != 255
    p, t = chance_of(logit_bytes_hw[known]), truth_hw[known].astype(float)
    expected = 2.0 * (p * t).sum() / (p.sum() + t.sum())
    assert soft_dice(count_probabilities(logit_bytes_hw, truth_hw)) == pytest.approx(expected)


def test_best_threshold_beats_all_others(logit_bytes_hw: np.ndarray, truth_hw: np.ndarray) -> None:
    counts = count_probabilities(logit_bytes_hw, truth_hw)
    best = best_threshold(counts)
    chance, known = chance_of(logit_bytes_hw), truth_hw != 255
    scores = []
    for threshold in np.linspace(0.001, 0.999, 999):
        mask, truth = chance[known] > threshold, truth_hw[known] == 1
        scores.append(2.0 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    assert best.dice >= max(scores)
    found = counts_at(counts, best.threshold)
    assert best.dice == pytest.approx(2 * found.tp / (2 * found.tp + found.fp + found.fn))


def test_pooling_adds_pixels() -> None:
    first = count_probabilities(np.full((2, 2), 200, np.uint8), np.ones((2, 2), np.uint8))
    second = count_probabilities(np.full((1, 3), 100, np.uint8), np.zeros((1, 3), np.uint8))
    assert counts_at(first + second, 0.5) == PixelCounts(tp=4, tn=3)
    assert counts_at(first + second, 0.01) == PixelCounts(tp=4, fp=3)


def test_only_ignored_pixels_count_as_nothing() -> None:
    counts = count_probabilities(np.full((2, 2), 200, np.uint8), np.full((2, 2), 255, np.uint8))
    assert counts_at(counts, 0.5) == PixelCounts()
    assert soft_dice(counts) == 1.0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r'\(2, 3\).*\(3, 2\)'):
        count_probabilities(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
