"""How doubtful single pixels are, looked up by the byte of their logit."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.logit_bytes import probability
from stseg_ros.records import Float32Array, UInt8Array

# Steps that sums of float64 hold exactly, so that equal windows tie whatever lies before them.
_STEPS = 2.0**16

_CHANCE = probability(np.arange(256, dtype=np.uint8)[None])[0].astype(np.float64)


def _rounded(doubt: npt.NDArray[np.float64]) -> Float32Array:
    return np.asarray(np.rint(doubt * _STEPS) / _STEPS, np.float32)


_MARGIN = _rounded(1.0 - np.abs(2.0 * _CHANCE - 1.0))
_ENTROPY = _rounded(-_CHANCE * np.log2(_CHANCE) - (1.0 - _CHANCE) * np.log2(1.0 - _CHANCE))


def margin_doubt(logit_bytes_hw: UInt8Array) -> Float32Array:
    """Look up 1 - 2 |p - 0.5| of every pixel.

    Args:
        logit_bytes_hw: (h, w) uint8 logits, see `stseg_ros.logit_bytes`.

    Returns:
        (h, w) float32 from 0 to 1; 1 at a probability of a half.
    """
    return np.asarray(cv2.LUT(logit_bytes_hw, _MARGIN), np.float32)


def entropy_doubt(logit_bytes_hw: UInt8Array) -> Float32Array:
    """Look up the entropy of every pixel's label, in bits.

    Args:
        logit_bytes_hw: (h, w) uint8 logits, see `stseg_ros.logit_bytes`.

    Returns:
        (h, w) float32 from 0 to 1; 1 at a probability of a half.
    """
    return np.asarray(cv2.LUT(logit_bytes_hw, _ENTROPY), np.float32)
