"""Tests of fitting a merge: weights that made the labels are found again."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.measure.learned.fit_merge import fit_merge, region_dice
from stseg_ros.pipeline.merge_table import MergeTable

LOGITS = (np.arange(256) - 128) / 16.0


def drawn(chance_cr: np.ndarray) -> np.ndarray:
    """Give every pair of bytes, those near 0 more often, labels of these chances."""
    weight = np.exp(-((LOGITS[:, None] - LOGITS[None]) ** 2) / 20 - LOGITS[:, None] ** 2 / 20)
    return np.stack([weight * (1.0 - chance_cr), weight * chance_cr])


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits))


def test_the_weights_that_made_the_labels_are_found() -> None:
    coarse, refined = LOGITS[:, None], LOGITS[None]
    logits = 0.7 * coarse + 0.2 * refined + 0.3 * np.minimum(coarse, refined) - 0.6
    fitted = fit_merge(drawn(sigmoid(logits)))
    found = (fitted.table.bytes_cr.astype(float) - 128) / 16
    near = np.abs(logits) < 3.0
    assert np.abs(found - logits)[near].max() < 0.15
    np.testing.assert_allclose(fitted.weights, [0.7, 0.2, 0.3, 0.0], atol=0.1)
    assert fitted.bias == pytest.approx(-0.6, abs=0.05)


@pytest.mark.parametrize('seed', range(3))
def test_it_rises_in_both_whatever_the_labels(seed: int) -> None:
    counts = np.random.default_rng(seed).random((2, 256, 256)) ** 8
    table = fit_merge(counts).table.bytes_cr.astype(int)
    assert (np.diff(table, axis=0) >= 0).all()
    assert (np.diff(table, axis=1) >= 0).all()


def test_a_refined_logit_that_says_the_opposite_gets_no_weight() -> None:
    chance = sigmoid(LOGITS[:, None] - LOGITS[None])
    fitted = fit_merge(drawn(chance))
    assert fitted.weights[1] == 0.0
    assert min(fitted.weights) == 0.0


def test_no_other_weights_are_better() -> None:
    coarse, refined = LOGITS[:, None] + 0 * LOGITS[None], 0 * LOGITS[:, None] + LOGITS[None]
    chance = sigmoid(0.5 * coarse - 0.2 * refined + np.sin(3 * coarse))
    counts = drawn(chance) / drawn(chance).sum()
    fitted = fit_merge(counts)
    features = [coarse, refined, np.minimum(coarse, refined), np.maximum(coarse, refined)]
    best = np.array([*fitted.weights, fitted.bias])

    def loss(weights: np.ndarray) -> float:
        logits = sum(w * f for w, f in zip(weights[:4], features, strict=True)) + weights[4]
        log_loss = counts[0] * np.logaddexp(0, logits) + counts[1] * np.logaddexp(0, -logits)
        held_back = 0.5e-3 * ((weights - [0.5, 0.5, 0.0, 0.0, 0.0]) ** 2).sum()
        return float(log_loss.sum() + held_back)

    rng = np.random.default_rng(0)
    for _ in range(30):
        other = best + rng.normal(0.0, 0.02, 5)
        other[:4] = other[:4].clip(min=0.0)
        assert loss(other) >= loss(best) - 1e-12


def test_the_unit_of_the_counts_is_only_that() -> None:
    counts = drawn(sigmoid(LOGITS[:, None] + 0 * LOGITS[None]))
    first, second = fit_merge(counts), fit_merge(1000.0 * counts)
    np.testing.assert_array_equal(first.table.bytes_cr, second.table.bytes_cr)


def test_dice_of_pixels_that_are_counted() -> None:
    counts = np.zeros((2, 256, 256), np.int64)
    counts[1, 200, 150] = 30  # found by add and by paste
    counts[1, 100, 150] = 20  # logits of -1.75 and 1.375: found by paste only
    counts[0, 150, 120] = 10  # 1.375 and -0.5: found by add only
    paste = MergeTable(np.broadcast_to(np.arange(256, dtype=np.uint8), (256, 256)).copy())
    assert region_dice(counts, None) == pytest.approx(2 * 30 / (2 * 30 + 10 + 20))
    assert region_dice(counts, paste) == 1.0
    assert region_dice(np.zeros((2, 256, 256), np.int64), None) == 1.0
