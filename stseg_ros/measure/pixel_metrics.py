"""Pixel counts first, scores as pure functions of them: one definition, any pooling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stseg_ros.records import UInt8Array

IGNORE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelCounts:
    """Agreement of a mask with its truth, in pixels.

    Attributes:
        tp: vehicle in both.
        fp: vehicle in the mask only.
        fn: vehicle in the truth only.
        tn: vehicle in neither.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: PixelCounts) -> PixelCounts:
        """Pool two counts."""
        return PixelCounts(
            tp=self.tp + other.tp,
            fp=self.fp + other.fp,
            fn=self.fn + other.fn,
            tn=self.tn + other.tn,
        )


def count_pixels(mask_hw: npt.NDArray[np.generic], truth_hw: UInt8Array) -> PixelCounts:
    """Compare a mask with its truth.

    Args:
        mask_hw: (H, W) of any type; anything but 0 is vehicle.
        truth_hw: (H, W) uint8: 0 background, 255 ignore, anything else vehicle.

    Returns:
        Counts over the pixels that are not ignored.

    Raises:
        ValueError: the shapes differ.
    """
    if mask_hw.shape != truth_hw.shape:
        raise ValueError(f'mask is {mask_hw.shape} but truth is {truth_hw.shape} (height, width)')
    valid = truth_hw != IGNORE
    mask = (mask_hw != 0) & valid
    truth = (truth_hw != 0) & valid
    tp = int(np.count_nonzero(mask & truth))
    fp = int(np.count_nonzero(mask)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return PixelCounts(tp=tp, fp=fp, fn=fn, tn=int(np.count_nonzero(valid)) - tp - fp - fn)


def pool(counts: Iterable[PixelCounts]) -> PixelCounts:
    """Add the counts of many images, so that every pixel weighs the same.

    Args:
        counts: counts of single images.

    Returns:
        Their sum; all zeros for no images.
    """
    return sum(counts, PixelCounts())


def dice(counts: PixelCounts) -> float:
    """Compute 2 tp / (2 tp + fp + fn).

    Args:
        counts: of one image, or pooled.

    Returns:
        In [0, 1]; 1 where neither mask nor truth has a vehicle.
    """
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def iou(counts: PixelCounts) -> float:
    """Compute tp / (tp + fp + fn).

    Args:
        counts: of one image, or pooled.

    Returns:
        In [0, 1]; 1 where neither mask nor truth has a vehicle.
    """
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn)


def precision(counts: PixelCounts) -> float:
    """Compute tp / (tp + fp).

    Args:
        counts: of one image, or pooled.

    Returns:
        In [0, 1]; 1 where the mask has no vehicle.
    """
    return _ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: PixelCounts) -> float:
    """Compute tp / (tp + fn).

    Args:
        counts: of one image, or pooled.

    Returns:
        In [0, 1]; 1 where the truth has no vehicle.
    """
    return _ratio(counts.tp, counts.tp + counts.fn)


def mean_dice(counts: Iterable[PixelCounts]) -> float:
    """Average the Dice of single images, so that every image weighs the same.

    Args:
        counts: counts of single images.

    Returns:
        In [0, 1].

    Raises:
        ValueError: there are no images.
    """
    scores = [dice(image) for image in counts]
    if not scores:
        raise ValueError('the mean Dice of no images is not defined')
    return sum(scores) / len(scores)


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 1.0
