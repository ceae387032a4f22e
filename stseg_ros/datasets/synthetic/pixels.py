"""Fast arithmetic on 8-bit images, rounding and saturating as OpenCV does."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stseg_ros.records import UInt8Array


def repeated(plane_hw: UInt8Array) -> UInt8Array:
    """Return an (H, W, 3) image with the same plane in each channel."""
    return np.asarray(cv2.merge([plane_hw, plane_hw, plane_hw]), dtype=np.uint8)


def times(image_hwc: UInt8Array, gain_hwc: UInt8Array, unit: float) -> UInt8Array:
    """Multiply by a gain map of the same shape, in which `unit` stands for 1."""
    return np.asarray(cv2.multiply(image_hwc, gain_hwc, scale=1 / unit), dtype=np.uint8)


def times_rgb(image_hwc: UInt8Array, gains: Sequence[float]) -> UInt8Array:
    """Multiply each of the three channels by its own gain."""
    return np.asarray(cv2.multiply(image_hwc, np.array([*gains, 0.0])), dtype=np.uint8)


def laid_over(below_hwc: UInt8Array, above_hwc: UInt8Array, alpha_hwc: UInt8Array) -> UInt8Array:
    """Lay an image with premultiplied alpha over another one, all (H, W, 3)."""
    kept = cv2.multiply(below_hwc, cv2.bitwise_not(alpha_hwc), scale=1 / 255.0)
    return np.asarray(cv2.add(kept, above_hwc), dtype=np.uint8)


def split_rgba(image_hwc: UInt8Array) -> tuple[UInt8Array, UInt8Array]:
    """Return the (H, W, 3) colours and the (H, W) alpha of an RGBA image."""
    rgb = cv2.cvtColor(image_hwc, cv2.COLOR_RGBA2RGB)
    alpha = cv2.extractChannel(image_hwc, 3)
    return np.asarray(rgb, dtype=np.uint8), np.asarray(alpha, dtype=np.uint8)
