"""Who is ahead, of made-up scores and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from stseg_ros.measure.frontier.record import Scored
from stseg_ros.measure.frontier.verdicts import (
    AHEAD,
    BEHIND,
    NEITHER,
    ahead_from,
    best_at_equal_time,
    compare,
    fastest_at_equal_dice,
    on_frontier,
    shared_runs,
)


def scored(label: str, **dice: float) -> Scored:
    return Scored(label=label, rows={run: {'dice': value} for run, value in dice.items()})


def times(**ms: float) -> dict[str, Any]:
    """Make times that waver by a hundredth from round to round, alike for all."""
    rounds = [0.99, 1.0, 1.0, 1.01]
    return {
        label: {'ms': {'p50': value}, 'round_ms': [value * share for share in rounds]}
        for label, value in ms.items()
    }


@pytest.fixture
def scores() -> Mapping[str, Scored]:
    return {
        'whole': scored('whole', a=0.80, b=0.82),
        'small': scored('small', a=0.78),
        'few': scored('few', a=0.79, b=0.80),
        'many': scored('many', a=0.81, b=0.83),
        'most': scored('most', a=0.815, b=0.84),
    }


TIMES = times(whole=40.0, small=8.0, few=5.0, many=10.0, most=20.0)


def test_gains_are_of_the_runs_that_both_have(scores: Mapping[str, Scored]) -> None:
    one = compare('few', 'whole', scores, TIMES)
    assert one.gains == pytest.approx({'a': -0.01, 'b': -0.02})
    assert one.gain == pytest.approx(-0.015)
    assert compare('many', 'small', scores, TIMES).gains == pytest.approx({'a': 0.03})


def test_the_ratio_is_the_rivals_time_over_the_own(scores: Mapping[str, Scored]) -> None:
    one = compare('many', 'whole', scores, TIMES)
    assert one.faster.value == pytest.approx(4.0)
    assert one.faster.low == pytest.approx(4.0)


@pytest.mark.parametrize(
    ('label', 'rival', 'outcome'),
    [
        ('many', 'whole', AHEAD),
        ('few', 'whole', NEITHER),
        ('many', 'small', NEITHER),
        ('whole', 'many', BEHIND),
    ],
)
def test_outcomes(label: str, rival: str, outcome: str, scores: Mapping[str, Scored]) -> None:
    assert compare(label, rival, scores, TIMES).outcome == outcome


def test_an_interval_that_reaches_one_is_no_lead(scores: Mapping[str, Scored]) -> None:
    wavering = {
        'many': {'ms': {'p50': 10.0}, 'round_ms': [8.0, 10.0, 10.0, 13.0]},
        'few': {'ms': {'p50': 10.1}, 'round_ms': [10.1, 9.0, 10.1, 10.2]},
    }
    assert compare('many', 'few', scores, wavering).outcome == NEITHER


def test_equal_time_takes_the_best_that_is_no_slower(scores: Mapping[str, Scored]) -> None:
    labels = ['few', 'many', 'most']
    found = best_at_equal_time('whole', labels, scores, TIMES)
    assert found is not None
    assert found.label == 'most'
    found = best_at_equal_time('small', labels, scores, TIMES)
    assert found is not None
    assert found.label == 'few'
    assert best_at_equal_time('few', ['many'], scores, TIMES) is None


def test_equal_dice_takes_the_fastest_that_is_no_worse(scores: Mapping[str, Scored]) -> None:
    labels = ['few', 'many', 'most']
    found = fastest_at_equal_dice('whole', labels, scores, TIMES)
    assert found is not None
    assert (found.label, found.faster.value) == ('many', pytest.approx(4.0))
    assert fastest_at_equal_dice('most', ['few', 'many'], scores, TIMES) is None


def test_the_frontier_holds_what_nothing_beats_in_both(scores: Mapping[str, Scored]) -> None:
    # By run a alone, which all have: whole 0.80 at 40 ms and small 0.78 at 8 ms are beaten.
    assert on_frontier(scores, TIMES) == {'few', 'many', 'most'}
    assert shared_runs(scores) == ['a']
    assert on_frontier(scores, times(small=8.0, whole=40.0)) == {'small', 'whole'}
    assert on_frontier(scores, {}) == set()


def test_equals_are_both_on_the_frontier() -> None:
    same = {'one': scored('one', a=0.8), 'two': scored('two', a=0.8)}
    assert on_frontier(same, times(one=5.0, two=5.0)) == {'one', 'two'}


@pytest.mark.parametrize(
    ('outcomes', 'first'),
    [
        ((AHEAD, AHEAD), 'small'),
        ((NEITHER, AHEAD), 'large'),
        ((AHEAD, BEHIND), None),
        ((BEHIND, NEITHER), None),
    ],
)
def test_ahead_means_from_a_size_on(outcomes: tuple[str, str], first: str | None) -> None:
    assert ahead_from(dict(zip(('small', 'large'), outcomes, strict=True))) == first
