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
    assert (window.frames_received, window.duration_s) == (6, 2.0)
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
    statistics.restart()
    clock.now_ns = 7_000_000_000
    assert statistics.read_window().silence_s == pytest.approx(3.0)
    statistics.note_received()
    clock.now_ns = 7_500_000_000
    assert statistics.read_window().silence_s == pytest.approx(0.5)


def test_a_restart_forgets_the_failure_and_keeps_the_counts() -> None:
    statistics = FrameStatistics(FakeClock())
    statistics.note_retried()
    statistics.note_failed('device lost')
    statistics.restart()
    window = statistics.read_window()
    assert window.failure == ''
    assert (window.totals.frames_failed, window.totals.frames_retried) == (1, 1)


def test_losses_count_by_window_and_in_all() -> None:
    statistics = FrameStatistics(FakeClock())
    statistics.note_lost(3)
    assert statistics.read_window().frames_lost == 3
    statistics.note_lost(2)
    window = statistics.read_window()
    assert (window.frames_lost, window.totals.frames_lost) == (2, 5)


def test_lateness_lasts_from_the_latest_mask_in_time() -> None:
    clock = FakeClock()
    statistics = FrameStatistics(clock)
    assert statistics.read_window().latency_ms is None

    def publish(at_s: float, *, late: bool) -> None:
        clock.now_ns = round(at_s * 1e9)
        statistics.note_published(
            processing_ns=1, regions=0, latency_ns=5_500_000, late=late, cut=late
        )

    publish(1.0, late=False)
    publish(1.5, late=True)
    publish(2.0, late=True)
    clock.now_ns = 3_000_000_000
    window = statistics.read_window()
    assert window.late_for_s == pytest.approx(2.0)
    assert window.latency_ms == pytest.approx(5.5)
    assert (window.masks_late, window.totals.masks_late, window.totals.masks_cut) == (2, 2, 2)
    publish(4.0, late=False)
    window = statistics.read_window()
    assert window.late_for_s == 0
    assert (window.masks_late, window.totals.masks_late) == (0, 2)
