from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.measure.object_metrics import (
    ObjectCounts,
    SizeCounts,
    count_objects,
    find_objects,
)

# At 640x480 the classes are COCO's own: below 32x32, below 96x96, and above; specks below 31.
SIZE_HW = (480, 640)


def with_blocks(*blocks: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(SIZE_HW, np.uint8)
    for top, left, height, width in blocks:
        mask[top : top + height, left : left + width] = 1
    return mask


def count(mask_hw: np.ndarray, truth_hw: np.ndarray) -> ObjectCounts:
    return count_objects(mask_hw, truth_hw, find_objects(truth_hw))


@pytest.mark.parametrize(
    ('height', 'width', 'expected'),
    [
        (5, 6, None),
        (4, 8, 'small'),
        (31, 33, 'small'),
        (32, 32, 'medium'),
        (95, 97, 'medium'),
        (96, 96, 'large'),
    ],
)
def test_size_classes_are_cocos(height: int, width: int, expected: str | None) -> None:
    truth = with_blocks((10, 10, height, width))
    counts = count(truth, truth)
    named = dict(zip(('small', 'medium', 'large'), counts.by_size, strict=True))
    for name, size in named.items():
        assert size.components == (1 if name == expected else 0)
        assert size.recall == (1.0 if name == expected else None)


def test_size_classes_scale_with_the_image() -> None:
    small = np.zeros((120, 160), np.uint8)
    small[10:18, 10:18] = 1
    assert [size.components for size in count(small, small).by_size] == [0, 1, 0]


def test_recall_and_hits_by_size() -> None:
    truth = with_blocks((0, 0, 20, 20), (100, 0, 20, 20), (200, 0, 40, 50), (300, 300, 100, 100))
    # Half of the first small one, less than half of the second, all of the large one.
    mask = with_blocks((0, 0, 10, 20), (100, 0, 9, 20), (300, 300, 100, 100))
    small, medium, large = count(mask, truth).by_size
    assert small == SizeCounts(components=2, hits=1, pixels=800, found_pixels=380)
    assert medium == SizeCounts(components=1, hits=0, pixels=2000, found_pixels=0)
    assert large == SizeCounts(components=1, hits=1, pixels=10_000, found_pixels=10_000)
    assert small.recall == pytest.approx(0.475)
    assert small.hit_rate == pytest.approx(0.5)


def test_false_alarms_hold_no_vehicle_at_all() -> None:
    truth = with_blocks((100, 100, 40, 40))
    # One touches the vehicle, one is a speck, two are alarms.
    mask = with_blocks((139, 139, 60, 60), (0, 0, 5, 5), (300, 0, 10, 10), (300, 300, 80, 80))
    assert count(mask, truth).false_alarms == 2


def test_ignored_pixels_are_no_false_alarm_and_no_vehicle() -> None:
    truth = with_blocks((100, 100, 40, 40))
    truth[300:400] = 255
    counts = count(with_blocks((310, 0, 50, 50)), truth)
    assert counts.false_alarms == 0
    assert sum(size.components for size in counts.by_size) == 1


def test_diagonal_neighbours_are_one_component() -> None:
    truth = with_blocks((0, 0, 10, 10), (10, 10, 10, 10))
    assert count(truth, truth).by_size[0] == SizeCounts(
        components=1, hits=1, pixels=200, found_pixels=200
    )


def test_pooling_adds() -> None:
    truth = with_blocks((0, 0, 20, 20))
    once = count(with_blocks((200, 200, 20, 20)), truth)
    assert once + once + ObjectCounts() == ObjectCounts(
        by_size=(SizeCounts(components=2, pixels=800), SizeCounts(), SizeCounts()), false_alarms=2
    )
