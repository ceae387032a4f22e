"""Merging the refined regions into the coarse map, and the mask at the camera's size."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from stseg_ros.pipeline.preprocess import upsample_logits
from stseg_ros.records import Float32Array, Int32Array, UInt8Array


def _paste(target_hw: Float32Array, refined_hw: Float32Array) -> None:
    target_hw[...] = refined_hw


def _add(target_hw: Float32Array, refined_hw: Float32Array) -> None:
    cv2.add(target_hw, refined_hw, dst=target_hw)


def _max(target_hw: Float32Array, refined_hw: Float32Array) -> None:
    cv2.max(target_hw, refined_hw, dst=target_hw)


_MERGE: dict[str, Callable[[Float32Array, Float32Array], None]] = {
    'paste': _paste,
    'add': _add,
    'max': _max,
}


def merge_regions(
    logits_hw: Float32Array, boxes_xyxy: Int32Array, refined_khw: Float32Array, fusion: str
) -> None:
    """Merge refined logits into the map of the whole frame, in place.

    Args:
        logits_hw: (H, W) float32 upsampled coarse logits; changed.
        boxes_xyxy: (K, 4) half-open boxes inside the map.
        refined_khw: (K, h, w) float32 logits of those boxes.
        fusion: 'paste' replaces what was there (the paper), 'add' sums the logits (the two stages
            as independent evidence), 'max' keeps the larger (a vehicle that either stage sees).
    """
    merge = _MERGE[fusion]
    for (left, top, right, bottom), refined_hw in zip(boxes_xyxy, refined_khw, strict=True):
        merge(logits_hw[top:bottom, left:right], refined_hw)


def threshold_mask(
    logits_hw: Float32Array, camera_hw: tuple[int, int], threshold: float
) -> UInt8Array:
    """Bring fused logits to the camera's size and threshold them.

    Args:
        logits_hw: (h, w) float32 fused logits at the working size.
        camera_hw: the camera image's size.
        threshold: vehicle where the probability is above this, in (0, 1).

    Returns:
        (H, W) uint8, 255 where vehicle, else 0.
    """
    if logits_hw.shape != camera_hw:
        logits_hw = upsample_logits(logits_hw, camera_hw)
    mask = np.empty(camera_hw, np.uint8)
    # Comparing logits spares a sigmoid of every pixel; the negative of 1 in uint8 is 255.
    logit = np.float32(math.log(threshold / (1.0 - threshold)))
    np.greater(logits_hw, logit, out=mask.view(np.bool_))
    return np.negative(mask, out=mask)
