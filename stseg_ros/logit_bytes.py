"""Logits in eight bits, as they travel between the stages.

A map of the whole frame is enlarged, merged, resized to the camera and compared, and each of these
is bound by memory: bytes take a quarter of the time of float32. A step of 1/16 logit is at most
0.016 of probability, and beyond a logit of 8 a pixel is sure to 3 in 10,000 either way.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

ZERO = 128
STEPS_PER_LOGIT = 16

_PROBABILITY: Float32Array = np.asarray(
    1.0 / (1.0 + np.exp(-(np.arange(256) - ZERO) / STEPS_PER_LOGIT)), dtype=np.float32
)


def to_bytes(logits: Float32Array) -> UInt8Array:
    """Round logits to steps of 1/16.

    Args:
        logits: float32 of any shape of two axes or more, contiguous.

    Returns:
        uint8 of the same shape: 128 + 16 x logit, cut off at 0 and 255.
    """
    rows = logits.reshape(-1, logits.shape[-1])
    steps = cv2.addWeighted(rows, STEPS_PER_LOGIT, rows, 0.0, ZERO, dtype=cv2.CV_8U)
    return np.asarray(steps, np.uint8).reshape(logits.shape)


def probability(logit_bytes: UInt8Array) -> Float32Array:
    """Look up the probability of each byte.

    Args:
        logit_bytes: uint8 of two axes.

    Returns:
        float32 of the same shape, in (0, 1).
    """
    return np.asarray(cv2.LUT(logit_bytes, _PROBABILITY), np.float32)


def threshold_byte(threshold: float) -> int:
    """Find the byte above which the probability is above a threshold.

    Args:
        threshold: probability in (0, 1).

    Returns:
        The largest byte that is not above it; 0 to 254, so that both labels stay possible.
    """
    byte = math.floor(ZERO + STEPS_PER_LOGIT * math.log(threshold / (1.0 - threshold)))
    return min(max(byte, 0), 254)


def resize_logit_bytes(logit_bytes_hw: UInt8Array, size_hw: tuple[int, int]) -> UInt8Array:
    """Resize a map of logits bilinearly.

    Args:
        logit_bytes_hw: (h, w) uint8.
        size_hw: the size wanted.

    Returns:
        (H, W) uint8, always a new array.
    """
    if logit_bytes_hw.shape == size_hw:
        return logit_bytes_hw.copy()
    resized = cv2.resize(logit_bytes_hw, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)
