"""Tests of the node's counts."""

from __future__ import annotations

import pytest

from stseg_ros.ros_node.frame_statistics import FrameStatistics, Totals


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def test_a_window_holds_what_came_since_the_last() -> None:
    clock = FakeClock()
    statistics = FrameStatistics(clock)
    for milliseconds in (10, 20, 30, 40, 50):
        statistics.note_received()
        statistics.note_published(processing_ns=milliseconds * 1_000_000, regions=3)
    statistics.note_received()
    statistics.note_bad('truncated')
    clock.now_ns = 2_000_000_000
    window = statistics.read_window()
    assert window.totals == Totals(frames_received=6, masks_published=5, frames_bad=1)
    assert (window.masks_published, window.frames_bad, window.regions) == (5, 1, 3)
    assert window.rate_hz == pytest.approx(2.5)
    # Percentiles of 10, 20, 30, 40, 50: the middle one, and 80 % of the way from 40 to 50.
    assert window.processing_ms == pytest.approx((30.0, 48.0))
    assert window.last_bad_reason == 'truncated'

    clock.now_ns = 3_000_000_000
    window = statistics.read_window()
    assert (window.masks_published, window.frames_bad, window.rate_hz) == (0, 0, 0.0)
    assert window.processing_ms is None
    assert window.totals.masks_published == 5
    assert window.last_bad_reason == 'truncated'


def test_a_failure_stands_until_the_next_mask() -> None:
    statistics = FrameStatistics(FakeClock())
    statistics.note_failed('device lost')
    assert statistics.read_window().failure == 'device lost'
    assert statistics.read_window().failure == 'device lost'
    statistics.note_published(processing_ns=1, regions=0)
    window = statistics.read_window()
    assert window.failure == ''
    assert window.totals.frames_failed == 1


def test_silence_counts_from_the_newest_image() -> None:
    clock = FakeClock()
    statistics = FrameStatistics(clock)
    clock.now_ns = 4_000_000_000
    statistics.restart_silence()
    clock.now_ns = 7_000_000_000
    assert statistics.read_window().silence_s == pytest.approx(3.0)
    statistics.note_received()
    clock.now_ns = 7_500_000_000
    assert statistics.read_window().silence_s == pytest.approx(0.5)
