"""The figures of the frontier, joined: scores of every run, and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from stseg_ros.measure.benchmark.timings import Ratio, ratio_of_medians
from stseg_ros.measure.candidates import TWO_STAGE, WHOLE
from stseg_ros.measure.frontier.points import EIGHTH, FULL
from stseg_ros.measure.frontier.scoring import slim_row

_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One point on one labelled set.

    Attributes:
        label: the point's.
        rows: by run what `score_group` gave.
    """

    label: str
    rows: Mapping[str, Mapping[str, Any]]

    @property
    def dice(self) -> float:
        """Mean over the runs."""
        return self.mean('dice')

    def mean(self, name: str) -> float:
        """Average one figure over the runs."""
        return fmean(self.values(name))

    def values(self, name: str) -> list[float]:
        """List one figure, run by run."""
        return [float(row[name]) for row in self.rows.values() if row[name] is not None]


def read_scores(record: Mapping[str, Any], title: str) -> dict[str, Scored]:
    """Join the runs of one labelled set.

    Args:
        record: `scores` holds, by set, run and label, what `score_group` gave.
        title: the set's.

    Returns:
        By label the point, with the runs that have it.
    """
    by_run = record['scores'].get(title, {})
    labels = dict.fromkeys(label for rows in by_run.values() for label in rows)
    return {
        label: Scored(
            label=label, rows={run: rows[label] for run, rows in by_run.items() if label in rows}
        )
        for label in labels
    }


def gains(one: Scored, other: Scored) -> dict[str, float]:
    """Compare the Dice of two points, run by run.

    Args:
        one: a point.
        other: another one.

    Returns:
        By run what the first has more, for the runs that both have.
    """
    return {
        run: float(row['dice']) - float(other.rows[run]['dice'])
        for run, row in one.rows.items()
        if run in other.rows
    }


def times_faster(times: Mapping[str, Any], label: str, than: str) -> Ratio:
    """Compare the times of two points of one run of the timing.

    Args:
        times: by label what `time_points` gave for one size.
        label: a point.
        than: another one.

    Returns:
        How many times faster the first is, with its interval over rounds.
    """
    own, other = (
        np.array(times[name]['round_ms'])[:, None] * _NS_PER_MS for name in (label, than)
    )
    return ratio_of_medians(other.astype(np.int64), own.astype(np.int64))


def adopt_recipe_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Take over what the page of the recipe has scored already, with the same settings.

    Args:
        rows: `results` of `stseg evaluate` with a threshold of 0.5, regions over components and
            logits added.

    Returns:
        By label what `score_group` gives of the same points.
    """
    found = {}
    for row in rows:
        label = EIGHTH if row['mode'] != WHOLE else FULL
        if row['mode'] == TWO_STAGE:
            label = f'components K = {row["regions"]}'
        found[label] = slim_row(row)
    return found
