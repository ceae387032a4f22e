"""Tests of the node's figures, on exchanges whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from support.exchanges import exchange

from stseg_ros.errors import StsegError
from stseg_ros.measure.node.exchanges import Exchange
from stseg_ros.measure.node.figures import (
    budget_row,
    kept_row,
    masks_hz,
    overhead,
    overload_row,
)
from stseg_ros.measure.node.labelled_stream import StreamImage
from stseg_ros.measure.node.offline import OfflineMasks
from stseg_ros.measure.pixel_metrics import PixelCounts
from stseg_ros.records import Frame

LEFT, RIGHT = np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8)
LEFT[:, :3] = 1
RIGHT[:, 3:] = 1
NOTHING, ALL = np.zeros((4, 6), np.uint8), np.ones((4, 6), np.uint8)


def answered(ages_ms: list[float], total_ms: float) -> list[Exchange]:
    return [exchange(0, age_ms=age_ms, total_ms=total_ms) for age_ms in ages_ms]


def test_what_the_node_adds_is_neither_transport_nor_pipeline() -> None:
    # Medians: echo 5; node 30 with a pipeline of 23: 7 without it, 2 more than the echo.
    rounds = [
        (answered([4.0, 5.0, 6.0], 0.0), answered([29.0, 30.0, 31.0], 23.0)),
        (answered([5.0], 0.0), answered([30.5], 23.0)),
    ]
    found = overhead(rounds)
    assert found['echo_ms']['p50'] == 5.0
    assert found['pipeline_ms']['p50'] == 23.0
    assert found['node_adds_ms']['lowest_round'] == 2.0
    assert found['node_adds_ms']['highest_round'] == 2.5
    # Of 6, 7, 7.5 and 8 the median is 7.25.
    assert found['node_adds_ms']['p50'] == 2.25
    assert found['is_small'] is True
    assert found['frames'] == {'echo': 4, 'node': 4}
    late = [(answered([5.0], 0.0), answered([31.5], 23.0))]
    assert overhead(late)['is_small'] is False


def test_images_without_a_mask_are_told() -> None:
    rounds = [
        (
            [exchange(0, age_ms=None), exchange(1)],
            [exchange(0, age_ms=None), *answered([9.0], 2.0)],
        )
    ]
    found = overhead(rounds)
    assert found['unanswered'] == {'echo': 1, 'node': 1}
    assert found['frames'] == {'echo': 1, 'node': 1}
    with pytest.raises(StsegError, match='no mask came back'):
        overhead([([exchange(0)], [exchange(0, age_ms=None)])])


def stream() -> list[StreamImage]:
    """Two images whose vehicle is left, and right."""
    return [
        StreamImage(
            source=name, frame=Frame(image_hwc=np.zeros((4, 6, 3), np.uint8)), vehicle_hw=t
        )
        for name, t in (('a', LEFT), ('b', RIGHT))
    ]


def offline() -> OfflineMasks:
    """Coarse finds nothing in `a` and everything in `b`; with one region both are right."""
    found = ((NOTHING, LEFT), (ALL, RIGHT))
    counts = (
        (PixelCounts(fn=12, tn=12), PixelCounts(tp=12, tn=12)),
        (PixelCounts(tp=12, fp=12), PixelCounts(tp=12, tn=12)),
    )
    packed = tuple(tuple(np.packbits(mask, axis=1) for mask in masks) for masks in found)
    return OfflineMasks(sources=('a', 'b'), masks=packed, counts=counts)


def test_a_budget_is_told_by_times_regions_and_scores() -> None:
    exchanges = [
        exchange(0, mask_hw=LEFT, node_ms=10.0, regions=1.0),
        exchange(1, mask_hw=ALL, node_ms=12.0, regions=0.0),
        exchange(2, mask_hw=NOTHING, node_ms=9.0, regions=0.0),
        # Not what this number of regions gives offline.
        exchange(3, mask_hw=ALL, node_ms=8.0, regions=1.0),
        exchange(4, age_ms=None),
    ]
    row = budget_row(exchanges, 10.0, stream(), offline())
    assert (row['budget_ms'], row['frames'], row['masks']) == (10.0, 5, 4)
    assert row['kept'] == 0.75
    assert row['regions_mean'] == 0.5
    assert row['regions_share'] == {'0': 0.5, '1': 0.5}
    assert row['regions_changes'] == 2
    assert row['masks_equal_to_offline'] == 3
    # a: 12 found of 12, then 0 of 12: 2 * 12 / (2 * 12 + 12). Half a region lies between 0 and 1.
    assert row['dice']['a'] == {
        'live': 0.6667,
        'offline_same_regions': 0.6667,
        'offline_mean_regions': 0.5,
    }
    # b: everything marked twice: 2 * 24 / (2 * 24 + 24); offline once: 48 / (48 + 12).
    assert row['dice']['b'] == {
        'live': 0.6667,
        'offline_same_regions': 0.8,
        'offline_mean_regions': 0.8333,
    }


def test_no_budget_is_not_kept_or_broken() -> None:
    exchanges = [exchange(image, mask_hw=ALL, node_ms=10.0, regions=0.0) for image in range(2)]
    assert budget_row(exchanges, 0.0, stream(), offline())['kept'] is None


def test_how_a_budget_was_kept_needs_nothing_offline() -> None:
    exchanges = [
        exchange(number, node_ms=node_ms, regions=regions)
        for number, (node_ms, regions) in enumerate([(8.0, 2.0), (10.0, 3.0), (14.0, 4.0)])
    ]
    row = kept_row([*exchanges, exchange(3, age_ms=None)], 10.0)
    assert (row['budget_ms'], row['masks'], row['regions_mean']) == (10.0, 3, 3.0)
    assert row['kept'] == pytest.approx(2 / 3, abs=1e-4)
    assert row['node_ms']['p50'] == 10.0
    assert kept_row(exchanges, 0.0)['kept'] is None


def test_a_data_set_without_any_mask_is_an_error() -> None:
    exchanges = [exchange(0, mask_hw=LEFT, node_ms=10.0, regions=0.0)]
    with pytest.raises(StsegError, match='no mask of b came back'):
        budget_row(exchanges, 10.0, stream(), offline())


def test_overload_adds_up() -> None:
    # 100 images a second for 50 ms; every second one is a mask.
    exchanges = [
        exchange(
            number,
            at_ms=10.0 * number,
            age_ms=None if number % 2 else 30.0,
            node_ms=26.0,
            queue_ms=4.0,
        )
        for number in range(6)
    ]
    row = overload_row(exchanges, times=2.0, dropped=2, lost=1, cpu_s=0.06)
    assert (row['images'], row['masks'], row['without_mask_or_count']) == (6, 3, 0)
    assert row['published_hz'] == 100.0
    # Three masks, 20 ms apart.
    assert row['masks_hz'] == masks_hz(exchanges) == 50.0
    assert row['age_ms']['p99'] == 30.0
    # Two frame times of 10 ms, and 26 - 4 ms of processing.
    assert row['age_bound_ms'] == 42.0
    assert row['cpu_ms_per_mask'] == 20.0
