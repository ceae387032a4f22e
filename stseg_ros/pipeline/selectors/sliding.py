"""Regions wherever the doubt is."""

from __future__ import annotations

from stseg_ros.pipeline.selectors.windows import (
    WindowConfidence,
    as_selection,
    free_positions,
    most_doubtful,
    region_in_coarse,
)
from stseg_ros.records import CoarseResult, RegionSelection


class SlidingSelector:
    """Windows at any position of the coarse raster, most doubtful first; see `RegionSelector`.

    The paper's future work. Each window is where the mean of 1 - 2 |p - 0.5| is highest among
    those that overlap no window before it; of equal ones the first in row-major order. Gaps are
    left that no further window fits into: all of a frame is not to be had.

    A region whose edges do not fall between camera pixels costs the resizing of more of the frame
    than the region, see `stseg_ros.pipeline.preprocess.FrameSampler`.
    """

    varies = True

    def __init__(self, *, grid: tuple[int, int], working_hw: tuple[int, int]) -> None:
        """Take the size of a region.

        Args:
            grid: rows and columns of regions in the frame; both divide the working size.
            working_hw: the working size in pixels.
        """
        self._grid = grid
        self._working_hw = working_hw

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """See `RegionSelector.select`."""
        region_hw = region_in_coarse(self._grid, coarse.logit_bytes_hw.shape)
        confidence = WindowConfidence(coarse.logit_bytes_hw, region_hw)
        windows = most_doubtful(
            confidence.everywhere(),
            free_positions(confidence, refine_below),
            region_hw=region_hw,
            regions=regions,
        )
        factor = self._working_hw[0] // coarse.logit_bytes_hw.shape[0]
        return as_selection(windows, confidence, region_hw=region_hw, factor=factor)
