"""Tests of the judgement on /diagnostics."""

from __future__ import annotations

import dataclasses
import re
import threading
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.ros_node.diagnostics import (
    FINDING_KEYS,
    Heartbeat,
    Level,
    NodeStatus,
    summarise,
    summary_pairs,
)
from stseg_ros.ros_node.frame_statistics import Totals, Window
from stseg_ros.ros_node.watches import Finding

ACTIVE = NodeStatus(
    state='active',
    bundle='driving',
    backend='openvino',
    device='CPU',
    dropped=2,
    mask_subscribers=1,
    frame_timing_subscribers=3,
)
GOOD = Window(
    totals=Totals(frames_received=12, masks_published=10, masks_late=2, masks_cut=3),
    duration_s=1.004,
    frames_received=12,
    masks_published=10,
    frames_bad=0,
    frames_lost=0,
    masks_late=0,
    rate_hz=9.96,
    processing_ms=(12.3456, 20.0),
    latency_ms=14.25,
    late_for_s=0.0,
    regions=4,
    last_bad_reason='',
    failure='',
    silence_s=0.1,
)
EMPTY = dataclasses.replace(GOOD, masks_published=0, rate_hz=0.0, processing_ms=None)
BAD = dataclasses.replace(GOOD, frames_bad=3, last_bad_reason='truncated')
FAILED = dataclasses.replace(EMPTY, failure='device lost')
SILENT = Finding(key='no_image', text='no image', kind='x')
OTHER = Finding(key='clock', text='other', kind='y')
MERELY_TOLD = Finding(key='stamps', text='from a bag', kind='z', warn=False)


def with_findings(*findings: Finding) -> NodeStatus:
    return dataclasses.replace(ACTIVE, findings=findings)


@pytest.mark.parametrize(
    ('status', 'window', 'level', 'message'),
    [
        (ACTIVE, GOOD, Level.OK, 'segmenting 10.0 images per second'),
        (ACTIVE, EMPTY, Level.OK, 'waiting for images'),
        (ACTIVE, BAD, Level.WARN, '3 unusable images: truncated'),
        (ACTIVE, FAILED, Level.ERROR, 'device lost'),
        (with_findings(SILENT), EMPTY, Level.WARN, 'no image'),
        (with_findings(SILENT, OTHER), EMPTY, Level.WARN, 'no image; other'),
        (with_findings(MERELY_TOLD), GOOD, Level.OK, 'segmenting 10.0 images per second'),
        (with_findings(MERELY_TOLD), BAD, Level.WARN, '3 unusable images: truncated'),
        (dataclasses.replace(ACTIVE, state='inactive'), EMPTY, Level.OK, 'inactive'),
        (NodeStatus(state='unconfigured', bundle='x', problem='p'), EMPTY, Level.ERROR, 'p'),
    ],
)
def test_the_worst_is_told(status: NodeStatus, window: Window, level: Level, message: str) -> None:
    assert summarise(status, window) == (level, message)


def test_values_before_the_first_frame() -> None:
    pairs = dict(summary_pairs(NodeStatus(state='unconfigured', bundle='x'), EMPTY))
    for key in ('backend', 'device', 'last_bad_reason', 'processing_time_p50_ms'):
        assert pairs[key] == 'n/a'
    assert pairs['bundle'] == 'x'


def test_values_while_segmenting() -> None:
    pairs = dict(summary_pairs(ACTIVE, GOOD))
    assert pairs['processing_time_p50_ms'] == '12.346'
    assert pairs['processing_time_p95_ms'] == '20.000'
    assert pairs['rate_hz'] == '9.96'
    assert (pairs['frames_received'], pairs['masks_published']) == ('12', '10')
    assert pairs['frames_dropped'] == '2'
    assert (pairs['mask_subscribers'], pairs['frame_timing_subscribers']) == ('1', '3')


def documented_keys(table: str) -> list[str]:
    """Return the keys in the first column of a table of the README."""
    readme = (Path(__file__).parents[2] / 'README.md').read_text()
    rows = readme.split(f'| {table} | meaning |\n| --- | --- |\n')[1].split('\n\n')[0]
    return [key for row in rows.splitlines() for key in re.findall('`(.+?)`', row.split('|')[1])]


def test_the_readme_tells_every_key() -> None:
    told = documented_keys('key on `/diagnostics`')
    assert sorted(told) == sorted(key for key, _ in summary_pairs(ACTIVE, GOOD))


def test_findings_have_stable_keys() -> None:
    pairs = dict(summary_pairs(with_findings(SILENT, MERELY_TOLD), GOOD))
    found = {key: pairs[key] for key in FINDING_KEYS}
    assert found == {
        'engines': 'ok',
        'no_image': 'no image',
        'lost_images': 'ok',
        'stamps': 'from a bag',
        'clock': 'ok',
        'overload': 'ok',
        'latency_budget': 'ok',
    }


@pytest.mark.parametrize(
    ('budget_ms', 'late_for_s', 'in_range', 'delay'),
    [
        (0.0, 0.0, 'n/a', '0.000'),
        (20.0, 0.0, 'True', '0.000'),
        (20.0, 1.5, 'False', '1500.000'),
    ],
)
def test_times_under_autowares_keys(
    budget_ms: float, late_for_s: float, in_range: str, delay: str
) -> None:
    status = dataclasses.replace(ACTIVE, latency_budget_ms=budget_ms)
    pairs = dict(summary_pairs(status, dataclasses.replace(GOOD, late_for_s=late_for_s)))
    assert pairs['processing_time_ms'] == '14.250'
    assert pairs['is_processing_time_ms_in_expected_range'] == in_range
    assert pairs['consecutive_processing_delay_ms'] == delay
    assert pairs['latency_budget_ms'] == f'{budget_ms:.3f}'
    assert (pairs['masks_late'], pairs['masks_cut']) == ('2', '3')


def test_the_heartbeat_goes_on_after_an_error() -> None:
    told: list[str] = []
    beats = threading.Semaphore(0)

    def beat() -> None:
        beats.release()
        raise ZeroDivisionError('a bug')

    heartbeat = Heartbeat(0.001, beat, told.append)
    heartbeat.start()
    for _ in range(3):
        assert beats.acquire(timeout=10)
    heartbeat.stop()
    assert len(told) >= 3
    assert all('ZeroDivisionError: a bug' in text for text in told)


def test_the_heartbeat_beats_until_it_is_stopped() -> None:
    beats = threading.Semaphore(0)
    heartbeat = Heartbeat(0.001, beats.release, pytest.fail)
    heartbeat.start()
    for _ in range(3):
        assert beats.acquire(timeout=10)
    heartbeat.stop()
    assert not heartbeat._thread.is_alive()
