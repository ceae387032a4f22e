"""Tests of what is read over time, and of what counts as growth."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stseg_ros.soak.ledger import Ledger
from stseg_ros.soak.process_usage import Usage
from stseg_ros.soak.series import Growth, Sample, Sampler, growth, settling_s


def usage(resident_mb: float, cpu_s: float = 0.0) -> Usage:
    return Usage(
        resident_mb=resident_mb, anonymous_mb=1.0, descriptors=9, threads=5, cpu_s=cpu_s, faults=0
    )


def samples(resident_mb: Callable[[float], float], seconds: int) -> list[Sample]:
    """Make one sample per second, and ten before the start."""
    balance = Ledger().balance()
    return [
        Sample(at_s=at_s, usage=usage(resident_mb(at_s)), balance=balance, cores=0.0)
        for at_s in range(-10, seconds + 1)
    ]


def resident_growth(resident_mb: Callable[[float], float], seconds: int) -> Growth:
    moved = growth(samples(resident_mb, seconds), lambda it: it.resident_mb, seconds)
    assert moved is not None
    return moved


def waves(at_s: float) -> float:
    """Hold 30 MB more for one of the twelve steps of each minute."""
    return 330.0 if int(at_s) % 60 // 5 == 7 else 300.0


def test_settling_takes_five_minutes_or_a_sixth() -> None:
    assert [settling_s(it) for it in (60.0, 600.0, 1800.0, 7200.0)] == [10.0, 100.0, 300.0, 300.0]


def test_what_a_large_image_takes_is_no_growth() -> None:
    moved = resident_growth(waves, 1800)
    assert (moved.grown, moved.first, moved.last) == (0.0, 300.0, 300.0)
    assert (moved.peak_before, moved.peak_after) == (330.0, 330.0)
    assert abs(moved.per_minute) < 0.1


def test_a_leak_is_growth() -> None:
    # A megabyte a minute, from minute 6, the end of the first window, to minute 30.
    moved = resident_growth(lambda at_s: waves(at_s) + at_s / 60.0, 1800)
    assert moved.grown == pytest.approx(24.0, abs=1.0)
    assert moved.per_minute == pytest.approx(1.0, abs=0.05)


def test_what_is_taken_while_settling_is_no_growth() -> None:
    moved = resident_growth(lambda at_s: 300.0 + 100.0 * min(at_s / 200.0, 1.0), 1800)
    assert moved.grown == 0.0


def test_peaks_are_told_too() -> None:
    # The first window ends at 8 s of 24; what came before it is within a cycle.
    peaks = {-5: 330.0, 8: 310.0, 9: 325.0, 24: 305.0}
    moved = resident_growth(lambda at_s: peaks.get(int(at_s), 300.0), 24)
    assert (moved.peak_before, moved.peak_after, moved.grown) == (330.0, 325.0, 0.0)


@pytest.mark.parametrize('seconds', [0, 1])
def test_too_short_to_tell(seconds: int) -> None:
    assert growth(samples(waves, seconds)[:11], lambda it: it.resident_mb, seconds) is None


def test_samples_are_a_second_apart() -> None:
    now_s = 100.0
    cpu_s = 7.0

    def read() -> Usage | None:
        return None if now_s > 104.0 else usage(300.0, cpu_s)

    sampler = Sampler(read, Ledger().balance, lambda: now_s)
    for _ in range(60):
        sampler.sample_if_due()
        now_s += 0.125
        cpu_s += 0.0625
    found = sampler.since(102.0)
    assert [it.at_s for it in found] == [-2.0, -1.0, 0.0, 1.0, 2.0]
    # Half a second of processor time each second.
    assert [it.cores for it in found] == [0.0, 0.5, 0.5, 0.5, 0.5]
