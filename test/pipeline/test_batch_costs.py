"""Tests of the table of batch costs."""

from __future__ import annotations

import pytest

from stseg_ros.pipeline.batch_costs import BatchCosts


def test_sizes_between_and_beyond_the_guesses() -> None:
    costs = BatchCosts({2: 10.0, 4: 14.0})
    assert [costs.of(size) for size in (2, 3, 4)] == [10.0, 12.0, 14.0]
    # In proportion to the nearest.
    assert (costs.of(1), costs.of(8)) == (5.0, 28.0)


def test_a_larger_batch_costs_no_less_and_no_more_for_each() -> None:
    # Eight at 9 show that one to four were measured while something else ran.
    costs = BatchCosts({1: 2.0, 2: 12.0, 4: 3.0, 8: 9.0})
    # Two take at most twice what one takes; one to four no more than four; eight at most 6.
    assert [costs.of(size) for size in (1, 2, 4, 8)] == [2.0, 3.0, 3.0, 6.0]


def test_what_was_learned_stands_and_bounds_the_guesses() -> None:
    costs = BatchCosts({1: 2.0, 2: 3.0, 4: 9.0})
    costs.learn(2, 5.0)
    # Two at 5 break the rule for one at 2, but were seen so; four take at most 2.5 for each.
    assert [costs.of(size) for size in (1, 2, 4)] == [2.0, 5.0, 9.0]
    costs.learn(2, 4.0)
    assert costs.of(4) == 8.0


def test_later_guesses_replace_earlier_ones() -> None:
    costs = BatchCosts({4: 8.0})
    costs.expect({4: 6.0, 8: 11.0})
    assert [costs.of(size) for size in (4, 8)] == [6.0, 11.0]


@pytest.mark.parametrize('guesses', [{}, {0: 1.0}, {1: 0.0}])
def test_what_is_no_cost_is_our_own_fault(guesses: dict[int, float]) -> None:
    with pytest.raises(AssertionError):
        BatchCosts(guesses)
