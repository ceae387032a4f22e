"""Merging the refined regions into the coarse map, and the mask at the camera's size."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from stseg_ros.logit_bytes import ZERO, resize_logit_bytes, threshold_byte
from stseg_ros.records import Int32Array, UInt8Array


def merge_regions(
    logit_bytes_hw: UInt8Array, boxes_xyxy: Int32Array, refined_khw: UInt8Array, fusion: str
) -> None:
    """Merge refined logits into the map of the whole frame, in place.

    Args:
        logit_bytes_hw: (H, W) upsampled coarse logits, see `stseg_ros.logit_bytes`; changed.
        boxes_xyxy: (K, 4) half-open boxes inside the map.
        refined_khw: (K, h, w) refined logits of those boxes, as bytes too.
        fusion: 'paste' replaces what was there (the paper), 'add' sums the logits (the two stages
            as independent evidence), 'max' keeps the larger (a vehicle that either stage sees).
    """
    targets = [
        logit_bytes_hw[top:bottom, left:right] for left, top, right, bottom in boxes_xyxy.tolist()
    ]
    if fusion == 'paste':
        for target_hw, refined_hw in zip(targets, refined_khw, strict=True):
            target_hw[...] = refined_hw
    elif fusion == 'max':
        for target_hw, refined_hw in zip(targets, refined_khw, strict=True):
            cv2.max(target_hw, refined_hw, dst=target_hw)
    else:
        assert fusion == 'add'
        _add(targets, refined_khw)


def _add(targets: list[UInt8Array], refined_khw: UInt8Array) -> None:
    """Add signed steps in unsigned bytes: at each pixel one of the two differences is 0."""
    rows = refined_khw.reshape(-1, refined_khw.shape[-1])
    more_khw = np.asarray(cv2.subtract(rows, ZERO)).reshape(refined_khw.shape)
    less_khw = np.asarray(cv2.subtract(ZERO, rows)).reshape(refined_khw.shape)
    for target_hw, more_hw, less_hw in zip(targets, more_khw, less_khw, strict=True):
        cv2.add(target_hw, more_hw, dst=target_hw)
        cv2.subtract(target_hw, less_hw, dst=target_hw)


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
    mask = np.zeros(camera_hw, np.uint8)
    rows = np.flatnonzero(logit_bytes_hw.max(axis=1) > byte)
    if not len(rows):
        return mask
    columns = np.flatnonzero(logit_bytes_hw[rows[0] : rows[-1] + 1].max(axis=0) > byte)
    y, x = (
        _widen(int(active[0]), int(active[-1]) + 1, length, camera_length)
        for active, length, camera_length in zip(
            (rows, columns), logit_bytes_hw.shape, camera_hw, strict=True
        )
    )
    camera_box = mask[y.camera, x.camera]
    height, width = camera_box.shape
    box = resize_logit_bytes(logit_bytes_hw[y.working, x.working], (height, width))
    cv2.threshold(box, byte, 255, cv2.THRESH_BINARY, dst=camera_box)
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
