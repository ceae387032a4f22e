"""The page of the frontier, from its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stseg_ros.measure.frontier.criteria import criteria
from stseg_ros.measure.frontier.figure import shown_sizes
from stseg_ros.measure.frontier.points import POINTS
from stseg_ros.measure.frontier.record import Scored, read_scores
from stseg_ros.measure.frontier.rivals import rivals, table
from stseg_ros.measure.frontier.verdicts import on_frontier, shared_runs

INTRODUCTION = """\
# Dice against milliseconds

Written by `docs/scripts/make_frontier_page.py`; the figures are in `frontier.json`. All points but
the paper's are one network, `residual_fpn` of width 32, trained on the same images:

- `grid`, `components`: two stages, at most K regions of 32, chosen by that selector, logits added;
  K = 8 by `components` is the default, here with a threshold of 0.5 and not the bundle's own
- `single-stage 1/8`: the coarse network alone, which is also two stages with K = 0
- `single-stage 1/4`, `1/2`: one network on the whole frame at that part of 1024x512 in each axis,
  trained for it: the rivals at equal time
- `single-stage 1/1`: one network on the whole frame at 1024x512

Dice is pooled over all pixels at the images' own size, a pixel being vehicle above a probability
of 0.5: the mean over the runs, with the lowest and the highest in brackets where there are
several. `at borders` is the Dice within 0.75 % of the diagonal of an outline of the truth, `small
found` the share of the pixels of small vehicles that the mask finds (below 0.33 % of the image).
Times are medians from decoded frame to mask, in ms, all points in turns in one run for each set
(the paper's network in the first); ratios of them have 95 % intervals. Scores are of images of
960x720, times of frames brought to each size.

Components refine no more regions than they find, so that each set has times of its own pictures;
`regions` is the mean of all its images. CamVid val is one run of a drive that is partly in
training, and one facade in it, which some networks take for a bus, decides more there than any
choice; the drive left out of training is the better judge.
"""

PAPERS = """\
As far as it was trained here, see [paper](paper.md); regions pasted, as the paper has it. The time
of `whole` is that of its refine network on the whole frame.
"""

SINGLES = """\
Recipes `config/train/single_stage_quarter.yaml` and `single_stage_half.yaml`. The quarter starts
from the coarse network of the same run of `driving_small`, trained on 786 megapixels, and the half
from the quarter. The two stages together have had 2359 megapixels, the whole-frame network 1573 on
top of the 1573 of the refine network that it starts from.
"""

NOT_TIMED = """\
The points are scored but not timed yet: `make_frontier_page.py --time` on a machine that does
nothing else.
"""


def write_page(record: Mapping[str, Any]) -> str:
    """Put the page together.

    Args:
        record: scores, training and times; `timing` may be None.

    Returns:
        Markdown that ends in a line break.
    """
    sets = {title: read_scores(record, title) for title in record['scores']}
    timing = record['timing']
    parts = [INTRODUCTION]
    if timing is None:
        parts += [NOT_TIMED, *(_scores(title, own, {}) for title, own in sets.items())]
        return '\n'.join([*parts, _training(record)])
    timed = {title: one['sizes'] for title, one in timing.items()}
    parts += [
        '![Dice against milliseconds](frontier.png)\n',
        *(_machine(one) for one in timing.values()),
        criteria(sets, timed),
        *(rivals(title, own, timed[title]) for title, own in sets.items() if title in timed),
        *(_scores(title, own, timed.get(title, {})) for title, own in sets.items()),
        *_paper(record, next(iter(timed.values()))),
        _training(record),
    ]
    return '\n'.join(parts)


def _spread(values: Sequence[float]) -> str:
    """Write the mean of some figures, with the lowest and the highest."""
    if not values:
        return ''
    mean = f'{sum(values) / len(values):.3f}'
    return mean if len(values) == 1 else f'{mean} ({min(values):.3f} to {max(values):.3f})'


def _machine(timing: Mapping[str, Any]) -> str:
    machine = timing['machine']
    rounds, frames = timing['rounds'], timing['frames_per_turn']
    return (
        f'{timing["backend"]}. {machine["processor"]}, {machine["usable_cores"]} cores, load '
        f'before {machine["load_before"]:.1f}; {rounds} rounds of {frames} frames; '
        f'{timing["frames_from"]}.\n'
    )


def _scores(title: str, scores: Mapping[str, Scored], sizes: Mapping[str, Any]) -> str:
    """List every point, with its time at the usual sizes."""
    shown = shown_sizes(sizes)
    times = sizes[shown[0]] if shown else {}
    frontier = on_frontier(scores, times)
    runs = shared_runs({label: point for label, point in scores.items() if label in times})
    rows = []
    for point in POINTS:
        if point.label not in scores:
            continue
        own = scores[point.label]
        timed = [sizes[size].get(point.label) for size in shown]
        rows.append((
            point.label + (' *' if point.label in frontier else ''),
            *('' if one is None else f'{one["ms"]["p50"]:.1f}' for one in timed),
            *(_spread(own.values(name)) for name in ('dice', 'boundary_dice', 'small_recall')),
            f'{own.mean("mean_regions"):.1f}' if point.regions else '',
            f'{own.mean("macs") / 1e9:.2f}',
            str(len(own.rows)),
        ))  # fmt: skip
    header = ('point', *(f'ms, {size}' for size in shown), 'Dice', 'at borders', 'small found',
              'regions', 'GMAC', 'runs')  # fmt: skip
    note = ''
    if frontier:
        note = (
            f'\n`*`: no other point is both faster and better at {shown[0]}, by the runs that all '
            f'points have: {", ".join(runs)}.\n'
        )
    return '\n'.join([f'## Scores: {title}\n', *table(header, rows), note])


def _paper(record: Mapping[str, Any], sizes: Mapping[str, Any]) -> Iterator[str]:
    """List the paper's network, where its bundles were timed."""
    shown = shown_sizes(sizes)
    labels = [label for label in sizes[shown[0]] if label.startswith("paper's")]
    if not labels:
        return
    rows = []
    scored = {title: read_scores({'scores': record['paper']}, title) for title in record['paper']}
    for label in labels:
        times = [f'{sizes[size][label]["ms"]["p50"]:.1f}' for size in shown]
        dice = [
            _spread(own[label].values('dice')) if label in own else '' for own in scored.values()
        ]
        rows.append((label, *times, *dice))
    header = ('point', *(f'ms, {size}' for size in shown), *(f'Dice, {it}' for it in scored))
    yield '\n'.join([
        "## The paper's network\n",
        PAPERS,
        *table(header, rows),
        '',
    ])  # fmt: skip


def _training(record: Mapping[str, Any]) -> str:
    rows = [
        (f'{share} {seed}', *(str(facts[name]) for name in ('steps', 'batch', 'megapixels')))
        for share, by_seed in record['training'].items()
        for seed, facts in by_seed.items()
    ]
    return '\n'.join([
        '## Training of the smaller single stages\n',
        SINGLES,
        *table(('network', 'steps', 'batch', 'megapixels more'), rows),
        '',
    ])  # fmt: skip
