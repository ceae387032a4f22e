"""Regions that are known before stage 1 has run."""

from __future__ import annotations

import numpy as np

from stseg_ros.pipeline.selectors.region_selector import RegionSelector
from stseg_ros.records import CoarseResult, RegionSelection


class TemporalSelector:
    """Chooses by the frame before, so that stage 2 need not wait for stage 1.

    It belongs to one camera, and to frames that follow each other: after a gap, a jump of the
    clock, a change of the camera or frames of another purpose, `reset` makes it forget. With
    nothing remembered it chooses by the present frame.
    """

    def __init__(self, criterion: RegionSelector) -> None:
        """Take the criterion.

        Args:
            criterion: ranks the regions of the frame remembered.
        """
        self._criterion = criterion
        self.varies = criterion.varies
        self._before: CoarseResult | None = None

    def foresee(self, *, regions: int, refine_below: float) -> RegionSelection | None:
        """Choose regions of a frame of which nothing is known yet.

        Args:
            regions: see `RegionSelector.select`.
            refine_below: see `RegionSelector.select`.

        Returns:
            See `RegionSelector.select`; None where no frame is remembered.
        """
        if self._before is None:
            return None
        return self._criterion.select(self._before, regions=regions, refine_below=refine_below)

    def observe(self, coarse: CoarseResult) -> None:
        """Remember a frame.

        Args:
            coarse: what stage 1 said of it; copied.
        """
        self._before = CoarseResult(logit_bytes_hw=np.array(coarse.logit_bytes_hw))

    def reset(self) -> None:
        """Forget the frame before."""
        self._before = None

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """Choose by the frame before, and remember this one; see `RegionSelector.select`."""
        selection = self.foresee(regions=regions, refine_below=refine_below)
        if selection is None:
            selection = self._criterion.select(coarse, regions=regions, refine_below=refine_below)
        self.observe(coarse)
        return selection
