"""Two stages against single stages, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stseg_ros.measure.benchmark.timings import Ratio
from stseg_ros.measure.candidates import TWO_STAGE
from stseg_ros.measure.frontier.figure import SHOWN_SIZES
from stseg_ros.measure.frontier.points import (
    DEFAULT,
    EIGHTH,
    FOURTH,
    FULL,
    MIDDLE,
    POINTS,
)
from stseg_ros.measure.frontier.record import Scored
from stseg_ros.measure.frontier.verdicts import (
    Comparison,
    ahead_from,
    best_at_equal_time,
    compare,
    fastest_at_equal_dice,
)

RIVALS = (FULL, MIDDLE, FOURTH, EIGHTH)
TWO_STAGES = tuple(point for point in POINTS if point.mode == TWO_STAGE)

BEST_OF_ALL = """\
The best of all two stages here, by the very images that they are scored on, which flatters them:
the highest Dice in no more time than the rival, and the least time at no less Dice.
"""


def rivals(title: str, scores: Mapping[str, Scored], sizes: Mapping[str, Any]) -> str:
    """Hold the default, and the best of two stages, against every single stage.

    Args:
        title: the labelled set's.
        scores: its scores, by label.
        sizes: by frame size the times of the set's pictures, by label.

    Returns:
        Markdown; of rivals that lack scores or times nothing is said.
    """
    lines = [f'## Against single stages: {title}\n', f'The default, `{DEFAULT}`:\n']
    lines += table(
        ('rival', 'frames', 'times faster', 'Dice more, run by run', 'outcome'),
        [
            (rival, size, _times(one.faster), _gains(one), one.outcome)
            for rival, size, one in _against(scores, sizes)
        ],
    )
    lines += ['', *_ahead_lines(scores, sizes), '']
    lines += [BEST_OF_ALL]
    rows = []
    for rival in RIVALS:
        for size, times in sizes.items():
            if not _comparable(rival, scores, times) or size not in SHOWN_SIZES:
                continue
            labels = [
                point.label
                for point in TWO_STAGES
                if point.label in times and _shared(point.label, rival, scores)
            ]
            equal_time = best_at_equal_time(rival, labels, scores, times)
            equal_dice = fastest_at_equal_dice(rival, labels, scores, times)
            rows.append((
                rival,
                size,
                'none' if equal_time is None else f'{equal_time.label}: {_gains(equal_time)}',
                'none'
                if equal_dice is None
                else f'{equal_dice.label}: {_times(equal_dice.faster)}',
            ))  # fmt: skip
    lines += table(('rival', 'frames', 'equal time: Dice more', 'equal Dice: times faster'), rows)
    return '\n'.join(lines) + '\n'


def _against(
    scores: Mapping[str, Scored], sizes: Mapping[str, Any]
) -> Iterator[tuple[str, str, Comparison]]:
    for rival in RIVALS:
        for size, times in sizes.items():
            if _comparable(rival, scores, times):
                yield rival, size, compare(DEFAULT, rival, scores, times)


def _comparable(rival: str, scores: Mapping[str, Scored], times: Mapping[str, Any]) -> bool:
    return rival in times and DEFAULT in times and _shared(DEFAULT, rival, scores)


def _shared(label: str, rival: str, scores: Mapping[str, Scored]) -> bool:
    """Tell whether two points have a run in common."""
    if label not in scores or rival not in scores:
        return False
    return bool(scores[label].rows.keys() & scores[rival].rows.keys())


def _ahead_lines(scores: Mapping[str, Scored], sizes: Mapping[str, Any]) -> Iterator[str]:
    """Say from which frame size on the default is ahead of each rival."""
    outcomes: dict[str, dict[str, str]] = {}
    for rival, size, one in _against(scores, sizes):
        outcomes.setdefault(rival, {})[size] = one.outcome
    for rival, by_size in outcomes.items():
        first = ahead_from(by_size)
        if first is not None:
            yield f'- ahead of {rival}, faster without loss of Dice, from frames of {first} on'
        else:
            last = list(by_size.values())[-1]
            yield f'- not ahead of {rival} at the largest frames timed: {last}'


def _gains(one: Comparison) -> str:
    each = ', '.join(f'{gain:+.3f}' for gain in one.gains.values())
    return f'{one.gain:+.3f}' if len(one.gains) == 1 else f'{one.gain:+.3f} ({each})'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table.

    Args:
        header: names of the columns.
        rows: their cells.

    Returns:
        Lines of Markdown.
    """
    return [
        f'| {" | ".join(header)} |',
        '| --- ' * len(header) + '|',
        *(f'| {" | ".join(row)} |' for row in rows),
    ]


def _times(ratio: Ratio) -> str:
    return f'{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})'
