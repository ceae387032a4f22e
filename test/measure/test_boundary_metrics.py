from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.measure.boundary_metrics import count_boundary, find_border
from stseg_ros.measure.pixel_metrics import PixelCounts, iou

# The diagonal is 500 pixels, of which 0.75 % are 4.
SIZE_HW = (300, 400)


def with_block(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros(SIZE_HW, np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def band_of_block(top: int, left: int, height: int, width: int) -> set[tuple[int, int]]:
    """The pixels of a block that are among the four outermost of their row or column."""
    return {
        (y, x)
        for y in range(top, top + height)
        for x in range(left, left + width)
        if min(y - top, top + height - 1 - y, x - left, left + width - 1 - x) < 4
    }


def test_equal_masks_agree_along_the_whole_border() -> None:
    truth = with_block(50, 60, 40, 80)
    counts = count_boundary(truth * 255, find_border(truth))
    assert counts == PixelCounts(tp=40 * 80 - 32 * 72)


@pytest.mark.parametrize('shift', [1, 3, 7])
def test_shifted_block_scores_its_bands(shift: int) -> None:
    truth = with_block(50, 60, 40, 80)
    counts = count_boundary(with_block(50, 60 + shift, 40, 80), find_border(truth))
    own, other = band_of_block(50, 60, 40, 80), band_of_block(50, 60 + shift, 40, 80)
    assert (counts.tp, counts.fp, counts.fn) == (
        len(own & other),
        len(other - own),
        len(own - other),
    )
    assert iou(counts) == pytest.approx(len(own & other) / len(own | other))


def test_inner_pixels_do_not_count() -> None:
    truth = with_block(50, 60, 40, 80)
    hollow = truth.copy()
    hollow[70, 100] = 0
    # The hole makes a border of its own in the mask, the truth has none there.
    counts = count_boundary(hollow, find_border(truth))
    assert (counts.fn, counts.tp) == (0, 40 * 80 - 32 * 72)
    assert counts.fp == 9 * 9 - 1


def test_edge_of_the_image_is_a_border() -> None:
    truth = np.ones(SIZE_HW, np.uint8)
    counts = count_boundary(truth, find_border(truth))
    assert counts == PixelCounts(tp=300 * 400 - 292 * 392)


def test_nothing_counts_near_ignored_pixels() -> None:
    truth = with_block(50, 60, 40, 80)
    truth[50:90, 140:200] = 255
    # The block's right side now borders on the ignored one: nobody knows whether it ends there.
    counts = count_boundary(with_block(50, 60, 40, 140), find_border(truth))
    expected = {(y, x) for y, x in band_of_block(50, 60, 40, 80) if x < 140 - 4}
    assert counts == PixelCounts(tp=len(expected))
