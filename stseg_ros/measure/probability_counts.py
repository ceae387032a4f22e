"""Pixels counted by the probability they were given: every threshold's score from one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO, probability, threshold_byte
from stseg_ros.measure.pixel_metrics import IGNORE, PixelCounts, dice
from stseg_ros.records import UInt8Array

Int64Array = npt.NDArray[np.int64]

_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbabilityCounts:
    """Pixels by the byte of their logit, see `stseg_ros.logit_bytes`.

    Attributes:
        vehicle: (256,) int64, pixels that the truth calls vehicle.
        background: (256,) int64, pixels that it calls background.
    """

    vehicle: Int64Array
    background: Int64Array

    def __add__(self, other: ProbabilityCounts) -> ProbabilityCounts:
        """Pool two counts."""
        return ProbabilityCounts(
            vehicle=self.vehicle + other.vehicle, background=self.background + other.background
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BestThreshold:
    """The threshold that would have scored best, known only afterwards.

    Attributes:
        threshold: a pixel is vehicle above this probability.
        dice: hard Dice at it.
    """

    threshold: float
    dice: float


def count_probabilities(logit_bytes_hw: UInt8Array, truth_hw: UInt8Array) -> ProbabilityCounts:
    """Count the pixels of one image.

    Args:
        logit_bytes_hw: (H, W) uint8 logits.
        truth_hw: (H, W) uint8: 0 background, 255 ignore, anything else vehicle.

    Returns:
        Counts over the pixels that are not ignored.

    Raises:
        ValueError: the shapes differ.
    """
    if logit_bytes_hw.shape != truth_hw.shape:
        raise ValueError(
            f'logits are {logit_bytes_hw.shape} but truth is {truth_hw.shape} (height, width)'
        )
    vehicle = logit_bytes_hw[(truth_hw != 0) & (truth_hw != IGNORE)]
    background = logit_bytes_hw[truth_hw == 0]
    return ProbabilityCounts(
        vehicle=np.bincount(vehicle, minlength=_BYTES).astype(np.int64),
        background=np.bincount(background, minlength=_BYTES).astype(np.int64),
    )


def counts_at(counts: ProbabilityCounts, threshold: float) -> PixelCounts:
    """Threshold the counted pixels as the pipeline thresholds a mask.

    Args:
        counts: of one image, or pooled.
        threshold: vehicle where the probability is above this, in (0, 1).

    Returns:
        Agreement of that mask with the truth.
    """
    return _counts_above(counts, threshold_byte(threshold))


def soft_dice(counts: ProbabilityCounts) -> float:
    """Compute 2 sum(p t) / (sum(p) + sum(t)), p being probabilities and t the truth's 0 and 1.

    Args:
        counts: of one image, or pooled.

    Returns:
        In [0, 1]. Probabilities are never exactly 0, so without a vehicle in the truth it is 0;
        1 for no pixels at all.
    """
    every_byte = np.arange(_BYTES, dtype=np.uint8)[None]
    chance = probability(every_byte)[0].astype(np.float64)
    overlap = float(chance @ counts.vehicle)
    total = overlap + float(chance @ counts.background) + float(counts.vehicle.sum())
    return 2.0 * overlap / total if total else 1.0


def best_threshold(counts: ProbabilityCounts) -> BestThreshold:
    """Find the threshold of the highest hard Dice.

    It is chosen on the very pixels it is scored on: a bound on what a better threshold could
    give, not a score.

    Args:
        counts: of one image, or pooled.

    Returns:
        The lowest of the best thresholds.
    """
    scores = [dice(_counts_above(counts, byte)) for byte in range(_BYTES - 1)]
    best = int(np.argmax(scores))
    # Halfway to the next byte, so that rounding cannot move it to another one.
    logit = (best + 0.5 - ZERO) / STEPS_PER_LOGIT
    return BestThreshold(threshold=float(1.0 / (1.0 + np.exp(-logit))), dice=scores[best])


def _counts_above(counts: ProbabilityCounts, byte: int) -> PixelCounts:
    vehicle, background = int(counts.vehicle.sum()), int(counts.background.sum())
    tp = int(counts.vehicle[byte + 1 :].sum())
    fp = int(counts.background[byte + 1 :].sum())
    return PixelCounts(tp=tp, fp=fp, fn=vehicle - tp, tn=background - fp)
