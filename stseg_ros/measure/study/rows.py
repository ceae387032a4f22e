"""The study's scores as plain rows, and several runs joined to means with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stseg_ros.measure import pixel_metrics
from stseg_ros.measure.pixel_metrics import PixelCounts
from stseg_ros.measure.seed_report import Spread
from stseg_ros.measure.study.areas import FP, NEAR_FP, NEAR_TP, SMALL, TP
from stseg_ros.measure.study.score import Choice, Tally

COLUMNS = (
    'criterion',
    'fusion',
    'regions',
    'mean_regions',
    'dice',
    'border_dice',
    'small_recall',
)
_FIGURES = COLUMNS[3:]
_DIGITS = 4

# By choice the spread over the runs of each figure; figures that were not taken are missing.
Scores = dict[Choice, dict[str, Spread]]


def as_rows(tallies: Mapping[Choice, Tally]) -> list[list[Any]]:
    """State what every choice scored.

    Args:
        tallies: pooled over the images.

    Returns:
        One list of `COLUMNS` per choice, figures to four digits; None where not scored.
    """
    return [
        [choice.criterion, choice.fusion, choice.regions, *_figures(tally)]
        for choice, tally in tallies.items()
    ]


def _figures(tally: Tally) -> list[float | None]:
    """Compute the figures of `COLUMNS`, after what was chosen."""
    found, there = tally.counts.tolist(), tally.totals.tolist()
    figures = [
        tally.regions / tally.images,
        _dice(found[TP], found[FP], there[TP]),
        _dice(found[NEAR_TP], found[NEAR_FP], there[NEAR_TP]),
        found[SMALL] / there[SMALL] if there[SMALL] else None,
    ]
    return [None if figure is None else round(figure, _DIGITS) for figure in figures]


def _dice(tp: int, fp: int, vehicle: int) -> float:
    return pixel_metrics.dice(PixelCounts(tp=tp, fp=fp, fn=vehicle - tp))


def join_runs(runs: Sequence[Sequence[Sequence[Any]]]) -> Scores:
    """Join the rows of several runs on one set.

    Args:
        runs: of each run what `as_rows` gave; the same choices in each, in any order.

    Returns:
        The spread of every figure by choice.
    """
    scores: Scores = {}
    by_choice = [{tuple(row[:3]): row[3:] for row in rows} for rows in runs]
    assert all(figures.keys() == by_choice[0].keys() for figures in by_choice)
    for criterion, fusion, regions in by_choice[0]:
        same = (figures[criterion, fusion, regions] for figures in by_choice)
        columns = zip(*same, strict=True)
        scores[Choice(criterion=criterion, fusion=fusion, regions=regions)] = {
            name: Spread(values=values)
            for name, values in zip(_FIGURES, columns, strict=True)
            if None not in values
        }
    return scores


def regret(scores: Scores, choice: Choice, oracle: str) -> Spread:
    """Tell how much Dice a choice leaves to the oracle of the same fusion and number.

    Args:
        scores: of one set.
        choice: the choice.
        oracle: name of the oracle.

    Returns:
        Oracle's Dice less the choice's, run by run.
    """
    best = Choice(criterion=oracle, fusion=choice.fusion, regions=choice.regions)
    return difference(scores, best, choice)


def difference(scores: Scores, first: Choice, second: Choice) -> Spread:
    """Subtract Dice run by run.

    Args:
        scores: of one set.
        first: a choice.
        second: another.

    Returns:
        The first's Dice less the second's.
    """
    pairs = zip(scores[first]['dice'].values, scores[second]['dice'].values, strict=True)
    return Spread(values=tuple(one - other for one, other in pairs))
