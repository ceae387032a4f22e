"""Which regions stage 2 looks at again."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from stseg_ros.logit_bytes import probability
from stseg_ros.records import CoarseResult, Float32Array, Int32Array, RegionSelection


class RegionSelector(Protocol):
    """Chooses regions from what the coarse network says."""

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """Choose the regions to refine.

        Args:
            coarse: the coarse network's logits of the whole frame.
            regions: the most regions to choose; 0 chooses none.
            refine_below: only regions whose confidence is below this are chosen; 1 sets no bound.

        Returns:
            At most `regions` regions of one size inside the working image, least confident first.
        """
        ...


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


class GridSelector:
    """The paper's criterion: cells of a regular grid, lowest |mean probability - 0.5| first.

    Teixeira e Silva et al., ICMV 2022. A cell's confidence here is 2 |mean - 0.5|, which orders
    cells alike and runs from 0 to 1. Cells of equal confidence come in row-major order.

    Paper: the mean is taken over the upsampled map; here it is taken over the coarse map itself,
    the same samples before interpolation, at 1/64 of the work.
    """

    def __init__(self, *, grid: tuple[int, int], working_hw: tuple[int, int]) -> None:
        """Lay out the grid.

        Args:
            grid: rows and columns of cells; both divide the working size.
            working_hw: the working size in pixels.
        """
        self._grid = grid
        self._boxes_xyxy: list[list[int]] = grid_boxes_xyxy(grid, working_hw).tolist()

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """See `RegionSelector.select`."""
        rows, columns = self._grid
        height, width = coarse.logit_bytes_hw.shape
        assert height % rows == 0
        assert width % columns == 0
        # Averaging over whole cells is a resizing by a whole factor, which OpenCV vectorises.
        size_wh = (columns, rows)
        mean_hw: Float32Array = np.asarray(
            cv2.resize(probability(coarse.logit_bytes_hw), size_wh, interpolation=cv2.INTER_AREA),
            np.float32,
        )
        # A few dozen numbers are sorted faster by Python than by as many array operations, whose
        # code the network before has pushed out of the caches.
        confidence = [abs(2.0 * cell - 1.0) for cell in mean_hw.ravel().tolist()]
        order = sorted(range(len(confidence)), key=confidence.__getitem__)[:regions]
        if refine_below < 1.0:
            order = [cell for cell in order if confidence[cell] < refine_below]
        boxes_xyxy = [self._boxes_xyxy[cell] for cell in order]
        return RegionSelection(
            boxes_xyxy=np.array(boxes_xyxy, np.int32).reshape(-1, 4),
            score=np.array([confidence[cell] for cell in order], np.float32),
        )
