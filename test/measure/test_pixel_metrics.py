from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.measure import pixel_metrics
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels


def test_counts_by_hand() -> None:
    mask_hw = np.array([[255, 255, 0, 0], [255, 0, 0, 255]], np.uint8)
    truth_hw = np.array([[1, 0, 1, 0], [255, 255, 0, 1]], np.uint8)
    assert count_pixels(mask_hw, truth_hw) == PixelCounts(tp=2, fp=1, fn=1, tn=2)


def test_any_nonzero_mask_is_vehicle() -> None:
    truth_hw = np.array([[1, 1, 0]], np.uint8)
    counts = count_pixels(np.array([[True, False, True]]), truth_hw)
    assert counts == PixelCounts(tp=1, fp=1, fn=1, tn=0)


def test_scores_by_hand() -> None:
    counts = PixelCounts(tp=6, fp=2, fn=4, tn=88)
    assert pixel_metrics.dice(counts) == pytest.approx(12 / 18)
    assert pixel_metrics.iou(counts) == pytest.approx(6 / 12)
    assert pixel_metrics.precision(counts) == pytest.approx(6 / 8)
    assert pixel_metrics.recall(counts) == pytest.approx(6 / 10)


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    empty = PixelCounts(tn=100)
    for score in (
        pixel_metrics.dice,
        pixel_metrics.iou,
        pixel_metrics.precision,
        pixel_metrics.recall,
    ):
        assert score(empty) == 1.0
    assert pixel_metrics.dice(PixelCounts(fp=1, tn=99)) == 0.0


def test_pooled_and_mean_differ() -> None:
    large = PixelCounts(tp=90, fp=10, fn=10)
    small = PixelCounts(tp=0, fp=0, fn=2)
    pooled = pixel_metrics.pool([large, small])
    assert pooled == PixelCounts(tp=90, fp=10, fn=12, tn=0)
    assert pixel_metrics.dice(pooled) == pytest.approx(180 / 202)
    assert pixel_metrics.mean_dice([large, small]) == pytest.approx(0.45)


def test_pooling_nothing() -> None:
    assert pixel_metrics.pool([]) == PixelCounts()
    with pytest.raises(ValueError, match='no images'):
        pixel_metrics.mean_dice([])


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r'\(2, 3\).*\(3, 2\)'):
        count_pixels(np.zeros((2, 3)), np.zeros((3, 2), np.uint8))
