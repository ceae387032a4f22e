"""The figures of made-up samples, worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from stseg_ros.measure.benchmark.cameras import IN_TURN, JOINED, CameraCase
from stseg_ros.measure.benchmark.cases import Case
from stseg_ros.measure.benchmark.rounds import Samples
from stseg_ros.measure.benchmark.rows import camera_rows, result_rows

SIZE_HW = (90, 160)
MS = 1_000_000


def samples(wall_ms: list[list[float]], stages_ms: list[float], **options: Any) -> Samples:
    """Make samples whose frames all have the same stages."""
    wall_ns = np.array(np.array(wall_ms) * MS, np.int64)
    stages_ns = np.zeros((*wall_ns.shape, 5), np.int64) + np.array(
        np.array(stages_ms) * MS, np.int64
    )
    return Samples(
        wall_ns=wall_ns,
        cpu_ns=2 * wall_ns,
        stages_ns=stages_ns,
        energy_uj=options.get('energy_uj'),
    )


def case(mode: str, regions: int = 0, size_hw: tuple[int, int] = SIZE_HW) -> Case:
    return Case(size_hw=size_hw, mode=mode, regions=regions)


@pytest.fixture
def rows() -> dict[tuple[str, int], dict[str, Any]]:
    measured = {
        case('whole'): samples([[40.0, 44.0], [80.0, 84.0]], [0.0, 42.0, 0.0, 0.0, 0.0]),
        case('coarse'): samples([[4.0, 4.4], [8.0, 8.4]], [1.0, 2.0, 0.25, 0.0, 0.5]),
        case('two_stage', 2): samples(
            [[10.0, 11.0], [20.0, 21.0]],
            [1.0, 2.0, 1.0, 6.0, 1.0],
            energy_uj=np.array([3000, 5000]),
        ),
        case('reference', 2): samples([[30.0, 33.0], [60.0, 63.0]], [5.0, 2.0, 9.0, 8.0, 2.0]),
        case('reference_torch', 2): samples(
            [[70.0, 77.0], [140.0, 147.0]], [5.0, 20.0, 9.0, 60.0, 2.0]
        ),
        # With as many regions as no two stages here.
        case('reference_torch', 4): samples([[99.0, 99.0], [99.0, 99.0]], [9.0] * 5),
        # Of another size: nothing to compare with.
        case('two_stage', 2, (60, 80)): samples([[1.0], [1.0]], [0.1, 0.2, 0.1, 0.5, 0.1]),
    }
    found = json.loads(json.dumps(result_rows(measured, {case('two_stage', 2): 1.254})))
    assert [(row['mode'], row['size']) for row in found] == [
        (each.mode, each.size) for each in measured
    ]
    return {(row['mode'], row['regions']): row for row in found if row['size'] == '160x90'} | {
        ('small', 2): found[-1]
    }


def test_times_of_a_row(rows: dict[tuple[str, int], dict[str, Any]]) -> None:
    row = rows['two_stage', 2]
    assert row['frames'] == 4
    assert (row['regions'], row['mean_regions']) == (2, 1.25)
    assert rows['small', 2]['mean_regions'] == 2.0
    # Sorted 10, 11, 20, 21.
    assert row['ms']['p50'] == 15.5
    assert row['ms']['p95'] == pytest.approx(20.0 + 0.85)
    assert row['frames_per_s'] == pytest.approx(4 / 0.062, abs=1e-3)
    assert row['cpu_ms'] == pytest.approx(2 * 15.5)
    assert row['cpu_over_wall'] == 2.0
    assert row['energy_mj'] == 2.0
    assert {stage: times['p50'] for stage, times in row['stages_ms'].items()} == {
        'preprocess': 1.0,
        'coarse': 2.0,
        'select': 1.0,
        'refine': 6.0,
        'fuse': 1.0,
    }
    assert row['networks_ms'] == {'p50': 8.0, 'p95': 8.0, 'p99': 8.0}
    assert row['pipeline_over_networks'] == {'ratio': 1.375, 'low': 1.375, 'high': 1.375}


def test_ratios_are_of_rounds_that_were_slow_together(
    rows: dict[tuple[str, int], dict[str, Any]],
) -> None:
    row = rows['two_stage', 2]
    # Medians of 62 and 15.5; of a single round, 42 and 10.5 or 82 and 20.5.
    assert row['faster_than_whole'] == {'ratio': 4.0, 'low': 4.0, 'high': 4.0}
    assert row['faster_than_reference'] == {'ratio': 3.0, 'low': 3.0, 'high': 3.0}
    assert row['faster_than_reference_torch'] == {'ratio': 7.0, 'low': 7.0, 'high': 7.0}
    assert rows['coarse', 0]['faster_than_whole']['ratio'] == 10.0


def test_a_baseline_that_times_its_stages_has_them() -> None:
    whole = case('whole')
    (row,) = result_rows({whole: samples([[9.0], [9.0]], [2.0, 5.0, 0.0, 0.0, 1.0])}, {})
    medians = {stage: times['p50'] for stage, times in row['stages_ms'].items()}
    assert medians == {'preprocess': 2.0, 'network': 5.0, 'fuse': 1.0}
    assert row['pipeline_over_networks'] == {'ratio': 1.6, 'low': 1.6, 'high': 1.6}


def test_what_cannot_be_compared_is_left_open(
    rows: dict[tuple[str, int], dict[str, Any]],
) -> None:
    whole = rows['whole', 0]
    assert (whole['faster_than_whole'], whole['faster_than_reference']) == (None, None)
    assert (whole['stages_ms'], whole['networks_ms']) == ({}, None)
    assert whole['pipeline_over_networks'] is None
    assert whole['energy_mj'] is None
    coarse = rows['coarse', 0]
    assert coarse['faster_than_reference'] is None
    # A stage that takes no time is none.
    assert set(coarse['stages_ms']) == {'preprocess', 'coarse', 'select', 'fuse'}
    for alone in (rows['small', 2], rows['reference', 2], rows['reference_torch', 4]):
        assert (alone['faster_than_reference'], alone['faster_than_reference_torch']) == (
            None,
            None,
        )
    assert rows['small', 2]['faster_than_whole'] is None
    # Medians of 62 and 108.5; of a single round, 42 and 73.5 or 82 and 143.5.
    ratio = rows['reference_torch', 2]['faster_than_whole']
    assert ratio == {'ratio': 0.5714, 'low': 0.5714, 'high': 0.5714}


def test_cameras_are_compared_with_one_and_with_their_turns() -> None:
    def cameras(way: str, count: int) -> CameraCase:
        return CameraCase(size_hw=SIZE_HW, way=way, cameras=count, regions=8)

    stages = [1.0, 2.0, 1.0, 6.0, 1.0]
    one, two, joined = camera_rows({
        cameras(IN_TURN, 1): samples([[10.0], [20.0]], stages),
        cameras(IN_TURN, 2): samples([[22.0], [44.0]], stages),
        cameras(JOINED, 2): samples([[11.0], [22.0]], stages),
    })  # fmt: skip
    assert (one['way'], one['cameras'], one['size'], one['rounds']) == ('in turn', 1, '160x90', 2)
    assert (one['frame_over_one_camera'], one['faster_than_in_turn']) == (None, None)
    # Rounds of 22 and 44 ms: 33 in the middle, half of it for each frame.
    assert (two['round_ms']['p50'], two['frame_ms']) == (33.0, 16.5)
    # Four frames in 66 ms, and twice as much of the processor.
    assert two['frames_per_s'] == pytest.approx(4.0 / 0.066, abs=1e-3)
    assert two['cpu_ms'] == pytest.approx(2.0 * 66.0 / 4.0)
    assert two['frame_over_one_camera'] == {'ratio': 1.1, 'low': 1.1, 'high': 1.1}
    assert two['faster_than_in_turn'] is None
    assert joined['faster_than_in_turn'] == {'ratio': 2.0, 'low': 2.0, 'high': 2.0}
    assert joined['frame_over_one_camera']['ratio'] == 0.55
