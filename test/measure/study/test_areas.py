"""Tests of counting a mask cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stseg_ros.measure.study.areas import FP, NEAR_FP, NEAR_TP, SMALL, TP, count_cells, find_areas
from stseg_ros.measure.study.areas import count_mask as count

SIZES_HW = [(64, 96), (41, 57), (7, 13)]


def random_truth(size_hw: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([0, 1, 255], np.uint8), size_hw)


@pytest.mark.parametrize('size_hw', SIZES_HW, ids=str)
def test_every_pixel_is_counted_in_the_cell_of_its_centre(size_hw: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    truth_hw = random_truth(size_hw, 0)
    mask_hw = rng.choice(np.array([0, 255], np.uint8), size_hw)
    expected = np.zeros((2 * 4, 2), int)
    for y in range(size_hw[0]):
        for x in range(size_hw[1]):
            cell = 4 * math.floor((y + 0.5) * 2 / size_hw[0])
            cell += math.floor((x + 0.5) * 4 / size_hw[1])
            expected[cell, 0] += mask_hw[y, x] == 255 and truth_hw[y, x] == 1
            expected[cell, 1] += mask_hw[y, x] == 255 and truth_hw[y, x] == 0
    found = count_cells(mask_hw, find_areas(truth_hw), (2, 4))
    np.testing.assert_array_equal(found[:, [TP, FP]], expected)


@pytest.mark.parametrize('size_hw', SIZES_HW, ids=str)
def test_cells_add_up_to_the_whole(size_hw: tuple[int, int]) -> None:
    mask_hw = np.where(random_truth(size_hw, 3) > 0, 255, 0).astype(np.uint8)
    areas = find_areas(random_truth(size_hw, 4))
    np.testing.assert_array_equal(
        count_cells(mask_hw, areas, (2, 4)).sum(axis=0), count(mask_hw, areas)
    )


def test_near_is_on_both_sides_of_an_outline() -> None:
    # The diagonal of 600 x 800 is 1000: eight pixels to each side.
    truth_hw = np.zeros((600, 800), np.uint8)
    truth_hw[200:400, 300:500] = 1
    counts = count(np.full((600, 800), 255, np.uint8), find_areas(truth_hw))
    assert counts[TP] == 200 * 200
    assert counts[NEAR_TP] == 200 * 200 - 184 * 184
    assert counts[NEAR_FP] == 216 * 216 - 200 * 200


def test_small_vehicles_are_those_below_a_three_hundredth() -> None:
    # 0.33 % of 480,000 pixels are 1,600; specks below 48 count nowhere.
    truth_hw = np.zeros((600, 800), np.uint8)
    truth_hw[10:30, 10:30] = 1
    truth_hw[100:160, 100:160] = 1
    truth_hw[300:305, 300:305] = 1
    areas = find_areas(truth_hw)
    assert areas.totals[SMALL] == 400
    mask_hw = np.zeros((600, 800), np.uint8)
    mask_hw[:20] = 255
    assert count(mask_hw, areas)[SMALL] == 200


def test_ignored_pixels_count_nowhere() -> None:
    areas = find_areas(np.full((20, 30), 255, np.uint8))
    assert count(np.full((20, 30), 255, np.uint8), areas).tolist() == [0, 0, 0, 0, 0]
