"""Regions around what stage 1 found."""

from __future__ import annotations

import cv2
import numpy as np

from stseg_ros.logit_bytes import ZERO
from stseg_ros.pipeline.selectors.windows import (
    BoolArray,
    Window,
    as_selection,
    free_positions,
    most_doubtful,
    overlapping,
    region_in_coarse,
    window_confidence,
)
from stseg_ros.records import CoarseResult, RegionSelection, UInt8Array

# As in the original: smaller components are dropped, larger ones get an eighth of a region around.
_FEWEST_PIXELS = 5
_PADDED_BY = 8


class ComponentSelector:
    """Windows over the connected components of the coarse mask; see `RegionSelector`.

    After Benčević et al., Segment-then-Segment, Sensors 2023: the box of each component is padded
    and shifted inside the frame, and what is smaller than 5 pixels is dropped. There the box is
    squared and brought to one size. Here the refine network sees regions of one size at one
    scale, so that a box that fits into a region gets one with the box in its middle, and a larger
    box gets as many as it takes side by side.

    The most doubtful windows come first. One that would overlap a window before it is moved away
    by up to half a region, or left out where that does not do.
    """

    varies = True

    def __init__(
        self,
        *,
        grid: tuple[int, int],
        working_hw: tuple[int, int],
        fill: bool = False,
    ) -> None:
        """Take the size of a region.

        Args:
            grid: rows and columns of regions in the frame; both divide the working size.
            working_hw: the working size in pixels.
            fill: whether windows that the components leave over go where most doubt is left.
        """
        self._fill = fill
        self._grid = grid
        self._working_hw = working_hw

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """See `RegionSelector.select`."""
        region_hw = region_in_coarse(self._grid, coarse.logit_bytes_hw.shape)
        confidence = window_confidence(coarse.logit_bytes_hw, region_hw)
        free = free_positions(confidence, refine_below)
        windows: list[Window] = []
        wanted = set(_windows_over_components(coarse.logit_bytes_hw, region_hw))
        for window in sorted(wanted, key=lambda window: (confidence[window], window)):
            if len(windows) == regions:
                break
            nearest = _nearest(free, window, region_hw)
            if nearest is not None:
                windows.append(nearest)
                free[overlapping(nearest, region_hw)] = False
        if self._fill:
            left = regions - len(windows)
            windows += most_doubtful(confidence, free, region_hw=region_hw, regions=left)
        windows.sort(key=lambda window: (confidence[window], window))
        factor = self._working_hw[0] // coarse.logit_bytes_hw.shape[0]
        return as_selection(windows, confidence, region_hw=region_hw, factor=factor)


def _windows_over_components(
    logit_bytes_hw: UInt8Array, region_hw: tuple[int, int]
) -> list[Window]:
    """Lay windows over the padded box of every component."""
    _, label_hw = cv2.threshold(logit_bytes_hw, ZERO, 1, cv2.THRESH_BINARY)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(label_hw)
    frame_hw = logit_bytes_hw.shape
    return [
        Window(top=row, left=column)
        for left, top, width, height, pixels in statistics[1:].tolist()
        if pixels >= _FEWEST_PIXELS
        for row in _cover(top, height, region_hw[0], frame_hw[0])
        for column in _cover(left, width, region_hw[1], frame_hw[1])
    ]


def _cover(first: int, length: int, region: int, frame: int) -> range:
    """Lay regions side by side over one axis of a padded box, in its middle, inside the frame."""
    padded = length + 2 * (region // _PADDED_BY)
    covered = min(-(-padded // region) * region, frame)
    start = first + (length - covered) // 2
    start = min(max(start, 0), frame - covered)
    return range(start, start + covered, region)


def _nearest(free: BoolArray, window: Window, region_hw: tuple[int, int]) -> Window | None:
    """Find the nearest free position within half a region."""
    if free[window]:
        return window
    top, left = (max(0, at - side // 2) for at, side in zip(window, region_hw, strict=True))
    rows, columns = (at + side // 2 + 1 for at, side in zip(window, region_hw, strict=True))
    places = np.argwhere(free[top:rows, left:columns]) + np.array([top, left])
    if not len(places):
        return None
    distance = ((places - window) ** 2).sum(axis=1)
    row, column = places[int(np.argmin(distance))].tolist()
    return Window(top=row, left=column)
