"""Regions at any position of the coarse raster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.pipeline.selectors.doubt import margin_doubt
from stseg_ros.records import RegionSelection, UInt8Array

Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Window(NamedTuple):
    """A region by its upper left corner, in coarse pixels."""

    top: int
    left: int


def region_in_coarse(grid: tuple[int, int], coarse_hw: tuple[int, ...]) -> tuple[int, int]:
    """Tell how large a region is on the coarse map.

    Args:
        grid: rows and columns of regions in the frame.
        coarse_hw: the coarse map's size.

    Returns:
        Rows and columns of coarse pixels.
    """
    height, width = coarse_hw[0] // grid[0], coarse_hw[1] // grid[1]
    assert (height * grid[0], width * grid[1]) == coarse_hw
    return height, width


class WindowConfidence:
    """How sure stage 1 is of a region: 1 less the mean of 1 - 2 |p - 0.5| over its pixels."""

    def __init__(self, logit_bytes_hw: UInt8Array, region_hw: tuple[int, int]) -> None:
        """Sum the doubt up, so that that of any region is four sums away.

        Args:
            logit_bytes_hw: (h, w) uint8 coarse logits, see `stseg_ros.logit_bytes`.
            region_hw: the region's size in coarse pixels.
        """
        self._region_hw = region_hw
        self._total = cv2.integral(margin_doubt(logit_bytes_hw), sdepth=cv2.CV_64F)
        self._asked: dict[Window, float] = {}

    @property
    def positions_hw(self) -> tuple[int, int]:
        """How many positions a region has, down and across."""
        (rows, columns), total_hw = self._region_hw, self._total.shape
        return total_hw[0] - rows, total_hw[1] - columns

    def at(self, window: Window) -> float:
        """Tell the confidence of a region at one position.

        Args:
            window: the position.

        Returns:
            0 to 1.
        """
        known = self._asked.get(window)
        if known is not None:
            return known
        (top, left), (rows, columns), total = window, self._region_hw, self._total
        bottom, right = top + rows, left + columns
        inside = (
            total.item(bottom, right)
            - total.item(top, right)
            - total.item(bottom, left)
            + total.item(top, left)
        )
        found = self._asked[window] = 1.0 - float(inside) / (rows * columns)
        return found

    def everywhere(self) -> Float64Array:
        """Tell the confidence of a region at every position.

        Returns:
            (h - region h + 1, w - region w + 1) float64 by upper left corner.
        """
        (rows, columns), total = self._region_hw, self._total
        inside = (
            total[rows:, columns:]
            - total[:-rows, columns:]
            - total[rows:, :-columns]
            + total[:-rows, :-columns]
        )
        return np.asarray(1.0 - inside / (rows * columns), np.float64)


def overlapping(window: Window, region_hw: tuple[int, int]) -> tuple[slice, slice]:
    """Find the positions at which a region would overlap a window.

    Args:
        window: the window.
        region_hw: its size, and the region's.

    Returns:
        Rows and columns of positions.
    """
    (top, left), (rows, columns) = window, region_hw
    return (
        slice(max(0, top - rows + 1), top + rows),
        slice(max(0, left - columns + 1), left + columns),
    )


def most_doubtful(
    confidence: Float64Array,
    free: BoolArray,
    *,
    region_hw: tuple[int, int],
    regions: int,
) -> list[Window]:
    """Take the least confident windows, one after the other, none of which overlap.

    Args:
        confidence: of a region at every position.
        free: positions that may be taken; those that no longer may are cleared.
        region_hw: a region's size in coarse pixels.
        regions: the most to take.

    Returns:
        The windows, least confident first; of equal ones the first in row-major order.
    """
    left_over = np.where(free, confidence, np.inf)
    windows: list[Window] = []
    while len(windows) < regions:
        row, column = divmod(int(np.argmin(left_over)), left_over.shape[1])
        if left_over[row, column] == np.inf:
            break
        windows.append(Window(top=row, left=column))
        taken = overlapping(windows[-1], region_hw)
        left_over[taken], free[taken] = np.inf, False
    return windows


def free_positions(confidence: WindowConfidence, refine_below: float) -> BoolArray:
    """Tell where regions may be.

    Args:
        confidence: of a region.
        refine_below: see `RegionSelector.select`.

    Returns:
        (h, w) bool by upper left corner.
    """
    if refine_below < 1.0:
        return confidence.everywhere() < refine_below
    return np.ones(confidence.positions_hw, np.bool_)


def as_selection(
    windows: Sequence[Window],
    confidence: WindowConfidence,
    *,
    region_hw: tuple[int, int],
    factor: int,
) -> RegionSelection:
    """Turn windows into regions of the working image.

    Args:
        windows: the windows, least confident first.
        confidence: of a region.
        region_hw: a region's size in coarse pixels.
        factor: working pixels per coarse pixel in each axis.

    Returns:
        The regions, in the same order.
    """
    rows, columns = region_hw
    boxes_xyxy = [
        [left * factor, top * factor, (left + columns) * factor, (top + rows) * factor]
        for top, left in windows
    ]
    return RegionSelection(
        boxes_xyxy=np.array(boxes_xyxy, np.int32).reshape(-1, 4),
        score=np.array([confidence.at(window) for window in windows], np.float32),
    )
