"""Regions that are the cells of a regular grid."""

from __future__ import annotations

from abc import ABC, abstractmethod

import cv2
import numpy as np

from stseg_ros.records import (
    CoarseResult,
    Float32Array,
    Int32Array,
    RegionSelection,
    UInt8Array,
)


def grid_boxes_xyxy(grid: tuple[int, int], working_hw: tuple[int, int]) -> Int32Array:
    """Lay out the cells of a regular grid.

    Args:
        grid: rows and columns of cells; both divide the working size.
        working_hw: the working size in pixels.

    Returns:
        (rows x columns, 4) int32 half-open boxes in working pixels, row by row.
    """
    rows, columns = grid
    height, width = working_hw[0] // rows, working_hw[1] // columns
    assert (rows * height, columns * width) == working_hw
    top, left = np.divmod(np.arange(rows * columns), columns)
    top, left = top * height, left * width
    return np.stack([left, top, left + width, top + height], axis=1).astype(np.int32)


class CellSelector(ABC):
    """Chooses the cells of least confidence; see `RegionSelector`.

    Cells of equal confidence come in row-major order.
    """

    varies = False

    def __init__(self, *, grid: tuple[int, int], working_hw: tuple[int, int]) -> None:
        """Lay out the grid.

        Args:
            grid: rows and columns of cells; both divide the working size.
            working_hw: the working size in pixels.
        """
        self._grid = grid
        self._boxes_xyxy: list[list[int]] = grid_boxes_xyxy(grid, working_hw).tolist()

    @abstractmethod
    def confidence(self, logit_bytes_hw: UInt8Array) -> list[float]:
        """Tell the confidence of every cell.

        Args:
            logit_bytes_hw: (h, w) uint8 coarse logits, see `stseg_ros.logit_bytes`.

        Returns:
            Confidence from 0, pure doubt, to 1, row by row.
        """

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """See `RegionSelector.select`."""
        # A few dozen numbers are sorted faster by Python than by as many array operations, whose
        # code the network before has pushed out of the caches.
        confidence = self.confidence(coarse.logit_bytes_hw)
        order = sorted(range(len(confidence)), key=confidence.__getitem__)[:regions]
        if refine_below < 1.0:
            order = [cell for cell in order if confidence[cell] < refine_below]
        boxes_xyxy = [self._boxes_xyxy[cell] for cell in order]
        return RegionSelection(
            boxes_xyxy=np.array(boxes_xyxy, np.int32).reshape(-1, 4),
            score=np.array([confidence[cell] for cell in order], np.float32),
        )

    def cell_means(self, values_hw: Float32Array) -> list[float]:
        """Average a map over each cell.

        Args:
            values_hw: (h, w) float32.

        Returns:
            The mean of every cell, row by row.
        """
        rows, columns = self._grid
        height, width = values_hw.shape
        assert height % rows == 0
        assert width % columns == 0
        # Averaging over whole cells is a resizing by a whole factor, which OpenCV vectorises.
        mean_hw = cv2.resize(values_hw, (columns, rows), interpolation=cv2.INTER_AREA)
        means: list[float] = mean_hw.ravel().tolist()
        return means
