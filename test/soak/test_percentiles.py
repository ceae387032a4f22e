"""Tests that percentiles of counted values are those of the values, all but exactly."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.soak.percentiles import Percentiles

SHARES = (0, 1, 50, 95, 99, 100)


@pytest.mark.parametrize('count', [1, 2, 3, 100, 20_000])
@pytest.mark.parametrize('spread', [0.05, 2.5])
def test_they_are_those_of_the_values(count: int, spread: float) -> None:
    values = np.random.default_rng(count).lognormal(3.0, spread, count)
    percentiles = Percentiles()
    for value in values:
        percentiles.add(float(value))
    assert len(percentiles) == count
    expected = np.percentile(values, SHARES)
    assert percentiles.at(SHARES) == pytest.approx(expected, rel=6e-4)


def test_what_is_nothing_counts_as_nothing() -> None:
    percentiles = Percentiles()
    for value in (-3.0, 0.0, 0.0, 8.0, 8.0):
        percentiles.add(value)
    none, half, most = percentiles.at((0, 50, 100))
    assert (none, half) == (0.0, 0.0)
    assert most == pytest.approx(8.0, rel=6e-4)


def test_a_day_of_values_takes_no_more_room_than_an_hour() -> None:
    def classes(count: int) -> int:
        percentiles = Percentiles()
        for value in np.random.default_rng(1).uniform(20.0, 400.0, count):
            percentiles.add(float(value))
        return len(percentiles._counts)

    assert classes(60_000) < classes(240_000) < 3_000
