"""Quantiles and intervals against arithmetic done another way."""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest

from stseg_ros.measure.benchmark.timings import quantiles_ms, ratio_of_medians


def by_hand(times: list[int], share: float) -> float:
    """Interpolate between the two sorted values around a place, in ms."""
    ordered = sorted(times)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return (ordered[below] + (place - below) * (ordered[above] - ordered[below])) / 1e6


def test_quantiles_lie_between_neighbours() -> None:
    times = [7_000_000, 1_000_000, 4_000_000, 90_000_000, 2_000_000, 3_000_000]
    shown = quantiles_ms(np.array(times).reshape(3, 2))
    assert shown == pytest.approx(
        {'p50': 3.5, 'p95': by_hand(times, 0.95), 'p99': by_hand(times, 0.99)}, abs=1e-4
    )


def test_one_time_is_every_quantile() -> None:
    assert quantiles_ms(np.array([[1_500_000]])) == {'p50': 1.5, 'p95': 1.5, 'p99': 1.5}


def test_what_slows_a_round_slows_both_sides() -> None:
    """Each round is slower than the one before by any factor; the ratio is the same in all."""
    slower = np.array([1, 5, 25, 3, 90, 11])[:, None]
    times = slower * np.array([[1000, 1004, 1002]])
    ratio = ratio_of_medians(3 * times, times)
    assert (ratio.value, ratio.low, ratio.high) == (3.0, 3.0, 3.0)


def test_the_interval_is_a_bootstrap_over_whole_rounds() -> None:
    """Against a bootstrap in plain Python with draws of its own."""
    draw = random.Random(5)
    rounds = 12
    slow = [[draw.randrange(2900, 3200) for _ in range(3)] for _ in range(rounds)]
    # The frames of a round are all alike: drawn one by one, they would give a narrower interval.
    fast = [[level, level, level] for level in (draw.randrange(900, 1300) for _ in range(rounds))]
    ratios = []
    for _ in range(6000):
        picks = [draw.randrange(rounds) for _ in range(rounds)]
        above = statistics.median(time for pick in picks for time in slow[pick])
        below = statistics.median(time for pick in picks for time in fast[pick])
        ratios.append(above / below)
    ratios.sort()
    ratio = ratio_of_medians(np.array(slow), np.array(fast))
    all_slow, all_fast = (
        [time for of_round in side for time in of_round] for side in (slow, fast)
    )
    assert ratio.value == statistics.median(all_slow) / statistics.median(all_fast)
    assert ratio.low == pytest.approx(ratios[round(0.025 * len(ratios))], rel=0.02)
    assert ratio.high == pytest.approx(ratios[round(0.975 * len(ratios))], rel=0.02)
    assert ratio.high - ratio.low > 0.1


def test_most_intervals_hold_the_truth() -> None:
    generator = np.random.default_rng(3)
    held, experiments = 0, 60
    for _ in range(experiments):
        machine = generator.uniform(1.0, 2.0, (20, 1))
        slow = 4e6 * machine * generator.normal(1.0, 0.05, (20, 3))
        fast = 2e6 * machine * generator.normal(1.0, 0.05, (20, 3))
        ratio = ratio_of_medians(slow.astype(np.int64), fast.astype(np.int64))
        held += ratio.low <= 2.0 <= ratio.high
    assert 51 <= held <= experiments


def test_the_same_seed_gives_the_same_interval() -> None:
    generator = np.random.default_rng(0)
    slow, fast = generator.integers(1000, 2000, (2, 8, 3))
    assert ratio_of_medians(slow, fast, seed=4) == ratio_of_medians(slow, fast, seed=4)
    assert ratio_of_medians(slow, fast, seed=4) != ratio_of_medians(slow, fast, seed=5)
