"""Tests of merging and of the mask."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.config import FUSIONS
from stseg_ros.pipeline.fuse import merge_regions, threshold_mask

COARSE = np.array([[1.0, -2.0, 3.0, -4.0]] * 2, np.float32)
REFINED = np.array([[[-5.0, 6.0]] * 2], np.float32)
BOX = np.array([[1, 0, 3, 2]], np.int32)


@pytest.mark.parametrize(
    ('fusion', 'row'),
    [
        ('paste', [1.0, -5.0, 6.0, -4.0]),
        ('add', [1.0, -7.0, 9.0, -4.0]),
        ('max', [1.0, -2.0, 6.0, -4.0]),
    ],
)
def test_only_the_region_changes(fusion: str, row: list[float]) -> None:
    logits = COARSE.copy()
    merge_regions(logits, BOX, REFINED, fusion)
    assert logits.tolist() == [row, row]


def test_every_fusion_is_known() -> None:
    for fusion in FUSIONS:
        logits = COARSE.copy()
        merge_regions(logits, BOX, REFINED, fusion)
        assert not np.array_equal(logits, COARSE)


@pytest.mark.parametrize('threshold', [0.1, 0.5, 0.9])
def test_threshold_is_on_the_probability(threshold: float) -> None:
    probability = np.linspace(0.01, 0.99, 99, dtype=np.float64).reshape(9, 11)
    logits = np.log(probability / (1.0 - probability)).astype(np.float32)
    # The thresholds are themselves among the probabilities, where rounding may go either way.
    clear = np.abs(probability - threshold) > 1e-6
    mask = threshold_mask(logits, (9, 11), threshold)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask[clear], np.where(probability > threshold, 255, 0)[clear])


def test_mask_has_the_cameras_size() -> None:
    logits = np.array([[-3.0, -3.0], [3.0, 3.0]], np.float32)
    mask = threshold_mask(logits, (8, 6), 0.5)
    assert mask.shape == (8, 6)
    assert (mask[:4] == 0).all()
    assert (mask[4:] == 255).all()
