"""Cells by how much of a vehicle's outline they hold."""

from __future__ import annotations

import cv2
import numpy as np

from stseg_ros.logit_bytes import ZERO
from stseg_ros.pipeline.selectors.cells import CellSelector
from stseg_ros.records import CoarseResult, RegionSelection, UInt8Array

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


class BoundarySelector(CellSelector):
    """Cells of a regular grid, longest contour of p = 0.5 first.

    A cell's confidence is the share of its pixels that have no neighbour, above, below, left or
    right, of the other label. Cells without any outline are never chosen: a frame without
    vehicles costs nothing, and a vehicle that stage 1 misses altogether stays missed.
    """

    varies = True

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """See `RegionSelector.select`."""
        highest = np.nextafter(1.0, 0.0)
        return super().select(coarse, regions=regions, refine_below=min(refine_below, highest))

    def confidence(self, logit_bytes_hw: UInt8Array) -> list[float]:
        """See `CellSelector.confidence`."""
        _, label_hw = cv2.threshold(logit_bytes_hw, ZERO, 1, cv2.THRESH_BINARY)
        outline_hw = cv2.morphologyEx(label_hw, cv2.MORPH_GRADIENT, _CROSS)
        return [1.0 - share for share in self.cell_means(outline_hw.astype(np.float32))]
