"""Tests of merging and of the mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.tiny_bundle import tiny_merge_table

from stseg_ros.config import FUSIONS
from stseg_ros.pipeline.fuse import merge_regions, threshold_mask

# Bytes are 128 + 16 x logit: logits 1, -2, 3, -4 and, of the region, -5 and 6.
COARSE = np.array([[144, 96, 176, 64]] * 2, np.uint8)
REFINED = np.array([[[48, 224]] * 2], np.uint8)
BOX = np.array([[1, 0, 3, 2]], np.int32)


@pytest.mark.parametrize(
    ('fusion', 'row'),
    [
        ('paste', [144, 48, 224, 64]),
        # Logits -7 and 9, the second cut off at the largest byte.
        ('add', [144, 16, 255, 64]),
        ('max', [144, 96, 224, 64]),
        # A quarter of the coarse byte and three of the refined one.
        ('learned', [144, 60, 212, 64]),
    ],
)
def test_only_the_region_changes(fusion: str, row: list[int]) -> None:
    fused = COARSE.copy()
    merge_regions(fused, BOX, REFINED, fusion, tiny_merge_table())
    assert fused.tolist() == [row, row]


def test_every_fusion_is_known() -> None:
    for fusion in FUSIONS:
        fused = COARSE.copy()
        merge_regions(fused, BOX, REFINED, fusion, tiny_merge_table())
        assert not np.array_equal(fused, COARSE)


@pytest.mark.parametrize('threshold', [0.1, 0.5, 0.9])
def test_threshold_is_on_the_probability(threshold: float) -> None:
    logit_bytes = np.arange(256, dtype=np.uint8).reshape(8, 32)
    probability = 1.0 / (1.0 + np.exp(-(logit_bytes.astype(float) - 128) / 16))
    mask = threshold_mask(logit_bytes, (8, 32), threshold)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, np.where(probability > threshold, 255, 0))


def test_the_mask_does_not_change_the_logits() -> None:
    logit_bytes = COARSE.copy()
    threshold_mask(logit_bytes, COARSE.shape, 0.5)
    np.testing.assert_array_equal(logit_bytes, COARSE)


def test_mask_has_the_cameras_size() -> None:
    logit_bytes = np.array([[80, 80], [176, 176]], np.uint8)
    mask = threshold_mask(logit_bytes, (8, 6), 0.5)
    assert mask.shape == (8, 6)
    assert (mask[:4] == 0).all()
    assert (mask[4:] == 255).all()


@pytest.mark.parametrize(
    'camera_hw', [(720, 1280), (375, 1242), (64, 96), (41, 57), (96, 128), (101, 192)], ids=str
)
@pytest.mark.parametrize('box', [(0, 3, 0, 5), (30, 45, 60, 90), (63, 64, 95, 96), None])
def test_looking_only_around_vehicles_changes_nothing(
    camera_hw: tuple[int, int], box: tuple[int, int, int, int] | None
) -> None:
    rng = np.random.default_rng(5)
    logit_bytes = rng.integers(90, 128, (64, 96), np.uint8)
    if box:
        top, bottom, left, right = box
        logit_bytes[top:bottom, left:right] = rng.integers(100, 200, (bottom - top, right - left))
    whole = cv2.resize(logit_bytes, camera_hw[::-1], interpolation=cv2.INTER_LINEAR)
    expected = np.where(whole > 128, 255, 0)
    np.testing.assert_array_equal(threshold_mask(logit_bytes, camera_hw, 0.5), expected)
