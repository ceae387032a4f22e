"""Regions around what stage 1 found."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from stseg_ros.logit_bytes import ZERO
from stseg_ros.pipeline.selectors.windows import (
    BoolArray,
    Window,
    WindowConfidence,
    as_selection,
    free_positions,
    most_doubtful,
    overlapping,
    region_in_coarse,
)
from stseg_ros.records import CoarseResult, Int32Array, RegionSelection, UInt8Array

# As in the original: smaller components are dropped, larger ones get an eighth of a region around.
_FEWEST_PIXELS = 5
_PADDED_BY = 8
_FAR = np.int32(np.iinfo(np.int32).max)


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
        confidence = WindowConfidence(coarse.logit_bytes_hw, region_hw)
        placed = _Placed(confidence, region_hw, refine_below)
        wanted = set(_windows_over_components(coarse.logit_bytes_hw, region_hw))
        for _, window in sorted((confidence.at(window), window) for window in wanted):
            if len(placed.windows) == regions:
                break
            placed.add_near(window)
        windows = placed.windows
        if self._fill:
            windows += most_doubtful(
                confidence.everywhere(),
                placed.free(),
                region_hw=region_hw,
                regions=regions - len(windows),
            )
        windows.sort(key=lambda window: (confidence.at(window), window))
        factor = self._working_hw[0] // coarse.logit_bytes_hw.shape[0]
        return as_selection(windows, confidence, region_hw=region_hw, factor=factor)


class _Placed:
    """The windows so far, none of which overlap.

    The map of all positions is made only where windows collide: it takes as long as all the rest.
    """

    def __init__(
        self, confidence: WindowConfidence, region_hw: tuple[int, int], refine_below: float
    ) -> None:
        self.windows: list[Window] = []
        self._confidence = confidence
        self._region_hw = region_hw
        self._refine_below = refine_below
        # The map, and how many of the windows it knows.
        self._free: BoolArray | None = None
        self._noted = 0

    def add_near(self, window: Window) -> None:
        """Add a window, or its nearest free position within half a region, or nothing."""
        if self._is_free(window):
            self.windows.append(window)
        else:
            nearest = _nearest(self.free(), window, self._region_hw)
            self.windows += [] if nearest is None else [nearest]

    def free(self) -> BoolArray:
        """Tell at which positions a further window may be, (h, w) by upper left corner."""
        if self._free is None:
            self._free = free_positions(self._confidence, self._refine_below)
        while self._noted < len(self.windows):
            self._free[overlapping(self.windows[self._noted], self._region_hw)] = False
            self._noted += 1
        return self._free

    def _is_free(self, window: Window) -> bool:
        rows, columns = self._region_hw
        # From 1 on every region is refined, one of confidence 1 too.
        if self._refine_below < 1.0 and self._confidence.at(window) >= self._refine_below:
            return False
        return all(
            abs(window.top - other.top) >= rows or abs(window.left - other.left) >= columns
            for other in self.windows
        )


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
    reach_rows, reach_columns = region_hw[0] // 2, region_hw[1] // 2
    first_row, first_column = window.top - reach_rows, window.left - reach_columns
    top, left = max(0, first_row), max(0, first_column)
    near = free[top : window.top + reach_rows + 1, left : window.left + reach_columns + 1]
    rows, columns = near.shape
    distance = _distances((reach_rows, reach_columns))[top - first_row :, left - first_column :]
    place = int(np.where(near, distance[:rows, :columns], _FAR).argmin())
    row, column = divmod(place, columns)
    return Window(top=top + row, left=left + column) if near[row, column] else None


@lru_cache(maxsize=4)
def _distances(reach_hw: tuple[int, int]) -> Int32Array:
    """Squares of the distance from the middle, up to so far down and across."""
    down, across = (np.arange(-reach, reach + 1, dtype=np.int32) ** 2 for reach in reach_hw)
    return down[:, None] + across[None]
