"""Tests of the judgement on /diagnostics."""

from __future__ import annotations

import dataclasses
import threading

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.ros_node.diagnostics import Heartbeat, Level, NodeStatus, summarise, summary_pairs
from stseg_ros.ros_node.frame_statistics import Totals, Window

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
    totals=Totals(frames_received=12, masks_published=10),
    masks_published=10,
    frames_bad=0,
    rate_hz=9.96,
    processing_ms=(12.3456, 20.0),
    regions=4,
    last_bad_reason='',
    failure='',
    silence_s=0.1,
)
EMPTY = dataclasses.replace(GOOD, masks_published=0, rate_hz=0.0, processing_ms=None)
BAD = dataclasses.replace(GOOD, frames_bad=3, last_bad_reason='truncated')
FAILED = dataclasses.replace(EMPTY, failure='device lost')


@pytest.mark.parametrize(
    ('status', 'window', 'level', 'message'),
    [
        (ACTIVE, GOOD, Level.OK, 'segmenting 10.0 images per second'),
        (ACTIVE, EMPTY, Level.OK, 'waiting for images'),
        (ACTIVE, BAD, Level.WARN, '3 unusable images: truncated'),
        (ACTIVE, FAILED, Level.ERROR, 'device lost'),
        (dataclasses.replace(ACTIVE, silence='no image'), EMPTY, Level.WARN, 'no image'),
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


def test_the_heartbeat_beats_until_it_is_stopped() -> None:
    beats = threading.Semaphore(0)
    heartbeat = Heartbeat(0.001, beats.release)
    heartbeat.start()
    for _ in range(3):
        assert beats.acquire(timeout=10)
    heartbeat.stop()
    assert not heartbeat._thread.is_alive()
