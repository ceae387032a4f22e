"""What the frontier was asked to show, in the words it was asked in, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stseg_ros.measure.candidates import TWO_STAGE
from stseg_ros.measure.frontier.points import DEFAULT, FULL, POINTS, timed_as_scored
from stseg_ros.measure.frontier.record import Scored
from stseg_ros.measure.frontier.verdicts import AHEAD, Comparison, compare

_EQUAL_DICE = """\
> At the default setting the Dice, on left-out drives and on CamVid val, is not below the
> whole-frame baseline of the same network with the same training effort (three seeds; the paper
> lost 0.06), at 4 times its speed or better; if that cannot be had, the report shows how near it
> comes and what limits it.
"""
_BEATS = """\
> Default two-stage on a light network beats the same light network on the whole frame at equal
> time or at equal Dice on frames of 1280x720 and larger; or the report shows from which frame size
> on it does.
"""
_AHEAD = (
    'Ahead: faster, as the whole interval says, without loss of Dice in the mean of the runs; '
    'behind: slower, and no better; neither: one is faster and the other better.'
)
_HARDER = (
    'Networks that see the whole frame made smaller, which the words do not ask for, are harder '
    'rivals; they follow. Those of 1/4 and 1/2 are hardly trained, see below: being ahead of them '
    'says little.'
)
_SPEED = 4.0
_SIZE = '1280x720'
_FEWEST_PIXELS = 1280 * 720


def criteria(sets: Mapping[str, Mapping[str, Scored]], sizes: Mapping[str, Any]) -> str:
    """Hold the default against the two criteria.

    Args:
        sets: by the set's title its scores, by label.
        sizes: by frame size the times, by label.

    Returns:
        Markdown; of sets or sizes that lack a point nothing is said.
    """
    parts = ['## What was to be shown\n', _EQUAL_DICE, *_speed_lines(sets, sizes), '']
    parts += [_BEATS, *_beats_lines(sets, sizes), '']
    return '\n'.join(parts)


def _speed_lines(sets: Mapping[str, Mapping[str, Scored]], sizes: Mapping[str, Any]) -> list[str]:
    lines, held = [], []
    size = _SIZE if _SIZE in sizes else next(iter(sizes))
    for title, scores in sets.items():
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
        nearest = _best_at_speed(title, scores, sizes[size])
        if nearest is not None:
            lines.append(
                f'  - the best of all two stages here that is {_SPEED:.0f} times faster or more: '
                f'`{nearest.label}`, Dice {nearest.gain:+.3f}, {nearest.faster.value:.2f} times'
            )
        macs = scores[FULL].mean('macs') / scores[DEFAULT].mean('macs')
        lines.append(f'  - by multiply-accumulates the default could be {macs:.2f} times faster')
    verdict = 'Held on every set.' if held and all(held) else 'Not held.'
    return [*lines, '', verdict] if held else ['Not measured.']


def _best_at_speed(
    title: str, scores: Mapping[str, Scored], times: Mapping[str, Any]
) -> Comparison | None:
    """Find the two stages that gain most among those fast enough."""
    found = (
        compare(point.label, FULL, scores, times)
        for point in POINTS
        if point.mode == TWO_STAGE and timed_as_scored(point, title)
        if point.label in scores and point.label in times
    )
    fast = (one for one in found if one.faster.value >= _SPEED)
    return max(fast, key=lambda one: one.gain, default=None)


def _beats_lines(sets: Mapping[str, Mapping[str, Scored]], sizes: Mapping[str, Any]) -> list[str]:
    lines, held = [], []
    for title, scores in sets.items():
        if not {DEFAULT, FULL} <= scores.keys():
            continue
        outcomes = {
            size: compare(DEFAULT, FULL, scores, times).outcome
            for size, times in sizes.items()
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
