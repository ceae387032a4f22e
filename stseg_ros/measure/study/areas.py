"""What of a truth is counted, and the counting of a mask in it, cell by cell.

A mask of some refined cells is the coarse mask with those cells of the refined one, but for the
pixels between two cells, which resizing to the camera mixes. So every choice of cells is a sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.measure.boundary_metrics import BAND_SHARE
from stseg_ros.measure.object_metrics import SIZES, find_objects
from stseg_ros.measure.pixel_metrics import IGNORE
from stseg_ros.records import UInt8Array

Int64Array = npt.NDArray[np.int64]

# What is counted of a mask: right and wrong vehicle pixels, the same near the outlines of the
# truth, and those of small vehicles.
TP, FP, NEAR_TP, NEAR_FP, SMALL = range(5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Areas:
    """A truth, divided into what is counted.

    Attributes:
        parts: (H, W) uint8 maps of 0 and 255, in the order of the counts: where a vehicle pixel
            of the mask is counted.
        totals: (5,) int64, pixels of each.
    """

    parts: tuple[UInt8Array, ...]
    totals: Int64Array


def find_areas(truth_hw: UInt8Array) -> Areas:
    """Divide a truth.

    Args:
        truth_hw: (H, W) uint8: 0 background, 255 ignore, anything else vehicle.

    Returns:
        Its areas. Near an outline is what is within `boundary_metrics.BAND_SHARE` of the image's
        diagonal; the image's edge is no outline here.
    """
    background = np.where(truth_hw == 0, 255, 0).astype(np.uint8)
    vehicle = np.where((truth_hw != 0) & (truth_hw != IGNORE), 255, 0).astype(np.uint8)
    distance = max(1, round(BAND_SHARE * math.hypot(*truth_hw.shape)))
    kernel = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    near = np.asarray(cv2.morphologyEx(vehicle, cv2.MORPH_GRADIENT, kernel), np.uint8)
    objects = find_objects(truth_hw)
    is_small = np.concatenate([[False], objects.size == SIZES.index('small')])
    small = np.where(is_small[objects.labels_hw], 255, 0).astype(np.uint8)
    parts = (vehicle, background, vehicle & near, background & near, small)
    totals = np.array([cv2.countNonZero(part) for part in parts], np.int64)
    return Areas(parts=parts, totals=totals)


def count_mask(mask_hw: UInt8Array, areas: Areas) -> Int64Array:
    """Count a mask.

    Args:
        mask_hw: (H, W) uint8 of 0 and 255.
        areas: of the truth.

    Returns:
        (5,) int64, vehicle pixels of the mask in each area.
    """
    return np.asarray(count_cells(mask_hw, areas, (1, 1)).sum(axis=0), np.int64)


def count_cells(mask_hw: UInt8Array, areas: Areas, grid: tuple[int, int]) -> Int64Array:
    """Count a mask in every cell.

    Args:
        mask_hw: (H, W) uint8 of 0 and 255.
        areas: of the truth.
        grid: rows and columns of cells; a pixel belongs to the cell that its centre is in.

    Returns:
        (rows x columns, 5) int64, vehicle pixels of the mask in each area, row by row.
    """
    rows, columns = (
        np.ceil(np.arange(cells + 1) * side / cells - 0.5).astype(int).tolist()
        for cells, side in zip(grid, mask_hw.shape, strict=True)
    )
    found = [cv2.bitwise_and(mask_hw, part) for part in areas.parts]
    counts = [
        [cv2.countNonZero(part[top:bottom, left:right]) for part in found]
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    return np.array(counts, np.int64)
