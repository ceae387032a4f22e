"""Merging the refined regions into the coarse map, and the mask at the camera's size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from stseg_ros.config import LEARNED
from stseg_ros.logit_bytes import ZERO, threshold_byte
from stseg_ros.pipeline.merge_table import MergeTable
from stseg_ros.records import Int32Array, UInt8Array


def merge_regions(
    logit_bytes_hw: UInt8Array,
    boxes_xyxy: Int32Array,
    refined_khw: UInt8Array,
    fusion: str,
    table: MergeTable | None = None,
) -> None:
    """Merge refined logits into the map of the whole frame, in place.

    Args:
        logit_bytes_hw: (H, W) upsampled coarse logits, see `stseg_ros.logit_bytes`; changed.
        boxes_xyxy: (K, 4) half-open boxes inside the map.
        refined_khw: (K, h, w) refined logits of those boxes, as bytes too.
        fusion: 'paste' replaces what was there (the paper), 'add' sums the logits (the two stages
            as independent evidence), 'max' keeps the larger (a vehicle that either stage sees),
            'learned' looks it up.
        table: of fusion 'learned'.
    """
    merge = _merge_of(fusion, table)
    for (left, top, right, bottom), refined_hw in zip(
        boxes_xyxy.tolist(), refined_khw, strict=True
    ):
        merge(logit_bytes_hw[top:bottom, left:right], refined_hw)


def _merge_of(fusion: str, table: MergeTable | None) -> Callable[[UInt8Array, UInt8Array], None]:
    if fusion != LEARNED:
        return _MERGE[fusion]
    assert table is not None
    return table.merge


def _paste(target_hw: UInt8Array, refined_hw: UInt8Array) -> None:
    target_hw[...] = refined_hw


def _add(target_hw: UInt8Array, refined_hw: UInt8Array) -> None:
    cv2.addWeighted(target_hw, 1.0, refined_hw, 1.0, -ZERO, dst=target_hw)


def _max(target_hw: UInt8Array, refined_hw: UInt8Array) -> None:
    np.maximum(target_hw, refined_hw, out=target_hw)


# Rows that are searched for vehicles together.
_BAND = 8

_MERGE: dict[str, Callable[[UInt8Array, UInt8Array], None]] = {
    'paste': _paste,
    'add': _add,
    'max': _max,
}


def threshold_mask(
    logit_bytes_hw: UInt8Array, camera_hw: tuple[int, int], threshold: float
) -> UInt8Array:
    """Bring fused logits to the camera's size and threshold them.

    Only the box around all vehicles is resized: an interpolated logit is never above those around
    it, so that the rest, such as the sky, can hold none.

    Args:
        logit_bytes_hw: (h, w) fused logits at the working size, see `stseg_ros.logit_bytes`.
        camera_hw: the camera image's size.
        threshold: vehicle where the probability is above this, in (0, 1).

    Returns:
        (H, W) uint8, 255 where vehicle, else 0; a new array.
    """
    byte = threshold_byte(threshold)
    height, width = logit_bytes_hw.shape
    # Bands of a few rows each are as good as rows, and faster to search.
    band = math.gcd(height, _BAND)
    highest = logit_bytes_hw.reshape(height // band, band, width).max(axis=1)
    left, top, columns, bands = cv2.boundingRect((highest > byte).view(np.uint8))
    if not bands:
        return np.zeros(camera_hw, np.uint8)
    y = _widen(top * band, (top + bands) * band, height, camera_hw[0])
    x = _widen(left, left + columns, width, camera_hw[1])
    mask = np.empty(camera_hw, np.uint8)
    box = mask[y.camera, x.camera]
    size_wh = box.shape[1], box.shape[0]
    cv2.resize(logit_bytes_hw[y.working, x.working], size_wh, dst=box)
    cv2.threshold(box, byte, 255, cv2.THRESH_BINARY, dst=box)
    # Writing each pixel once, rather than all of them first, is worth a fifth of the stage.
    mask[: y.camera.start] = 0
    mask[y.camera.stop :] = 0
    mask[y.camera, : x.camera.start] = 0
    mask[y.camera, x.camera.stop :] = 0
    return mask


class _Interval(NamedTuple):
    """The same stretch of one axis in pixels of the working image and of the camera."""

    working: slice
    camera: slice


def _widen(first: int, end: int, length: int, camera_length: int) -> _Interval:
    """Widen an interval until its edges fall on camera pixels, with room for its neighbours.

    Only then does resizing the interval alone give what resizing the whole axis gives.
    """
    steps = math.gcd(length, camera_length)
    step, camera_step = length // steps, camera_length // steps
    # A camera pixel between a pixel inside and one outside needs both of them.
    low, high = max(0, (first - 2) // step), min(steps, -(-(end + 2) // step))
    return _Interval(
        working=slice(low * step, high * step),
        camera=slice(low * camera_step, high * camera_step),
    )
