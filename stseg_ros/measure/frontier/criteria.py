"""What the frontier was asked to show, in the words it was asked in, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stseg_ros.measure.candidates import TWO_STAGE
from stseg_ros.measure.criteria_texts import BEATS, EQUAL_DICE
from stseg_ros.measure.frontier.points import DEFAULT, FULL, POINTS
from stseg_ros.measure.frontier.record import Scored
from stseg_ros.measure.frontier.verdicts import AHEAD, Comparison, compare

_AHEAD = (
    'Ahead: faster, as the whole interval says, without loss of Dice in the mean of the runs; '
    'behind: slower, and no better; neither: one is faster and the other better.'
)
_HARDER = (
    'Networks that see the whole frame made smaller, which the words do not ask for, are harder '
    'rivals; they follow.'
)
_SPEED = 4.0
_SIZE = '1280x720'
_FEWEST_PIXELS = 1280 * 720


def criteria(sets: Mapping[str, Mapping[str, Scored]], timed: Mapping[str, Any]) -> str:
    """Hold the default against the two criteria.

    Args:
        sets: by the set's title its scores, by label.
        timed: by the set's title and frame size the times of its own pictures, by label.

    Returns:
        Markdown; of sets or sizes that lack a point nothing is said.
    """
    parts = ['## What was to be shown\n', EQUAL_DICE, *_speed_lines(sets, timed), '']
    parts += [BEATS, *_beats_lines(sets, timed), '']
    return '\n'.join(parts)


def _speed_lines(sets: Mapping[str, Mapping[str, Scored]], timed: Mapping[str, Any]) -> list[str]:
    lines, held = [], []
    for title, scores in sets.items():
        sizes = timed.get(title, {})
        size = _SIZE if _SIZE in sizes else next(iter(sizes), _SIZE)
        if size not in sizes:
            continue
        if not {DEFAULT, FULL} <= scores.keys() & sizes[size].keys():
            continue
        one = compare(DEFAULT, FULL, scores, sizes[size])
        each = ', '.join(f'{gain:+.3f}' for gain in one.gains.values())
        ratio = one.faster
        held.append(one.gain >= 0.0 and ratio.value >= _SPEED)
        lines.append(
            f'- {title}, frames of {size}: Dice {one.gain:+.3f} in the mean of {len(one.gains)} '
            f'runs ({each}); {ratio.value:.2f} times faster ({ratio.low:.2f} to '
            f'{ratio.high:.2f}), target {_SPEED:.0f}: {"held" if held[-1] else "not held"}'
        )
        nearest = _best_at_speed(scores, sizes[size])
        if nearest is not None:
            lines.append(
                f'  - the best of all two stages here that is {_SPEED:.0f} times faster or more: '
                f'`{nearest.label}`, Dice {nearest.gain:+.3f}, {nearest.faster.value:.2f} times'
            )
        macs = scores[FULL].mean('macs') / scores[DEFAULT].mean('macs')
        lines.append(f'  - by multiply-accumulates the default could be {macs:.2f} times faster')
    verdict = 'Held on every set.' if held and all(held) else 'Not held.'
    return [*lines, '', verdict] if held else ['Not measured.']


def _best_at_speed(scores: Mapping[str, Scored], times: Mapping[str, Any]) -> Comparison | None:
    """Find the two stages that gain most among those fast enough."""
    found = (
        compare(point.label, FULL, scores, times)
        for point in POINTS
        if point.mode == TWO_STAGE
        if point.label in scores and point.label in times
    )
    fast = (one for one in found if one.faster.value >= _SPEED)
    return max(fast, key=lambda one: one.gain, default=None)


def _beats_lines(sets: Mapping[str, Mapping[str, Scored]], timed: Mapping[str, Any]) -> list[str]:
    lines, held = [], []
    for title, scores in sets.items():
        if not {DEFAULT, FULL} <= scores.keys():
            continue
        outcomes = {
            size: compare(DEFAULT, FULL, scores, times).outcome
            for size, times in timed.get(title, {}).items()
            if {DEFAULT, FULL} <= times.keys()
        }
        held += [outcome == AHEAD for size, outcome in outcomes.items() if _large(size)]
        found = ', '.join(f'{size} {outcome}' for size, outcome in outcomes.items())
        lines.append(f'- {title}: {found}')
    if not held:
        return ['Not measured.']
    verdict = 'Held' if all(held) else 'Not held'
    return [*lines, '', _AHEAD, f'{verdict} against `{FULL}`. {_HARDER}']


def _large(size: str) -> bool:
    width, height = size.split('x')
    return int(width) * int(height) >= _FEWEST_PIXELS
