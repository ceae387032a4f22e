"""Who wins at equal time, at equal Dice, and from which frame size on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from stseg_ros.measure.benchmark.timings import Ratio
from stseg_ros.measure.frontier.record import Scored, gains, times_faster

AHEAD, BEHIND, NEITHER = 'ahead', 'behind', 'neither'


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One point against a rival, on one set and at one frame size.

    Attributes:
        label: the point.
        rival: the other one.
        faster: how many times faster the point is.
        gains: by run what its Dice is more.
    """

    label: str
    rival: str
    faster: Ratio
    gains: Mapping[str, float]

    @property
    def gain(self) -> float:
        """Mean gain of Dice over the runs that both have."""
        return fmean(self.gains.values())

    @property
    def outcome(self) -> str:
        """Tell who wins.

        Returns:
            'ahead' if faster, as the whole interval says, without loss of Dice; 'behind' if slower
            without gain; else 'neither': one is faster and the other better.
        """
        if self.faster.low > 1.0 and self.gain >= 0.0:
            return AHEAD
        if self.faster.high < 1.0 and self.gain <= 0.0:
            return BEHIND
        return NEITHER


def compare(
    label: str, rival: str, scores: Mapping[str, Scored], times: Mapping[str, Any]
) -> Comparison:
    """Compare two points.

    Args:
        label: a point.
        rival: another one; both have a run in common.
        scores: by label, of one set.
        times: by label, of one frame size.

    Returns:
        The comparison.
    """
    return Comparison(
        label=label,
        rival=rival,
        faster=times_faster(times, label, rival),
        gains=gains(scores[label], scores[rival]),
    )


def best_at_equal_time(
    rival: str, labels: Iterable[str], scores: Mapping[str, Scored], times: Mapping[str, Any]
) -> Comparison | None:
    """Find the point with the highest Dice that takes no longer than a rival.

    Args:
        rival: the rival.
        labels: the points to choose from.
        scores: by label, of one set.
        times: by label, of one frame size.

    Returns:
        Its comparison with the rival; None where all take longer.
    """
    limit_ms = times[rival]['ms']['p50']
    found = [compare(label, rival, scores, times) for label in labels
             if times[label]['ms']['p50'] <= limit_ms]  # fmt: skip
    return max(found, key=lambda one: one.gain, default=None)


def fastest_at_equal_dice(
    rival: str, labels: Iterable[str], scores: Mapping[str, Scored], times: Mapping[str, Any]
) -> Comparison | None:
    """Find the fastest point that scores no less than a rival, in the mean of their runs.

    Args:
        rival: the rival.
        labels: the points to choose from.
        scores: by label, of one set.
        times: by label, of one frame size.

    Returns:
        Its comparison with the rival; None where all score less.
    """
    found = [compare(label, rival, scores, times) for label in labels]
    return max(
        (one for one in found if one.gain >= 0.0), key=lambda one: one.faster.value, default=None
    )


def on_frontier(scores: Mapping[str, Scored], times: Mapping[str, Any]) -> set[str]:
    """Find the points that no other one beats in both time and Dice.

    Args:
        scores: by label, of one set.
        times: by label, of one frame size; points without a time are passed over.

    Returns:
        Their labels, by the mean Dice of the runs that all points have.
    """
    timed = {label: point for label, point in scores.items() if label in times}
    runs = shared_runs(timed)
    if not runs:
        return set()
    places = {
        label: (times[label]['ms']['p50'], -fmean(point.rows[run]['dice'] for run in runs))
        for label, point in timed.items()
    }
    return {
        label
        for label, (ms, loss) in places.items()
        if not any(
            other_ms <= ms and other_loss <= loss and (other_ms, other_loss) != (ms, loss)
            for other_ms, other_loss in places.values()
        )
    }


def shared_runs(scores: Mapping[str, Scored]) -> list[str]:
    """List the runs that all points have.

    Args:
        scores: by label.

    Returns:
        Their names, in order.
    """
    runs = [point.rows.keys() for point in scores.values()]
    return sorted(set.intersection(*map(set, runs))) if runs else []


def ahead_from(outcomes: Mapping[str, str]) -> str | None:
    """Tell from which frame size on a point is ahead.

    Args:
        outcomes: by size, ascending.

    Returns:
        The first size from which on it is ahead at every one; None where it is not at the last.
    """
    first = None
    for size, outcome in outcomes.items():
        if outcome != AHEAD:
            first = None
        elif first is None:
            first = size
    return first
