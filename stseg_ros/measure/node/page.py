"""The page and the picture of the node's measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.config import GRID
from stseg_ros.measure.node.figures import LEAST_KEPT, MOST_ADDED_MS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Content = Mapping[str, Any]

_SIZE_INCHES = (12.0, 4.2)
_DOTS_PER_INCH = 130
_COLOURS = {'idle': '#1f3c88', 'loaded': '#d1495b'}
_NAMES = {'idle': 'nothing beside it', 'loaded': 'a busy process per core'}

_INTRODUCTION = """\
# What the node costs, and how it keeps a latency budget

Written by `docs/scripts/node/measure_node.py`; all figures are in `{json}`. Everything is
measured through the real node over Fast DDS, with 1280x720 bgr8 images; camera, node and the
receiver of the masks are processes of their own. Regions are chosen by `{selector}`. Machine:
{machine}. {quick}
"""

_OVERHEAD = """\
## What the node adds

An echo subscribes to the same images with the same QoS and answers each at once with a mask of the
same size and header. Echo and node take turns, {rate:g} images per second, {frames} of each. Both
keep freed memory for the next image; the echo was given {echo_faults:g} pages of memory per image,
the node {node_faults:g} (720p has 675). Times in ms, from just before an image is published to its
mask's arrival.

| | p50 | p95 |
| --- | --- | --- |
| echo: the transport alone | {echo_p50:.2f} | {echo_p95:.2f} |
| node | {node_p50:.2f} | {node_p95:.2f} |
| of that the pipeline's own stages (`total_ms`) | {pipeline_p50:.2f} | {pipeline_p95:.2f} |
| **what the node adds** | **{adds:.2f}** ({low:.2f} to {high:.2f} by round) | |

{verdict}
"""

_BUDGET = """\
## The latency budget

![Share of masks in time, regions and Dice against the budget]({figure})

`latency_budget_ms` bounds the time from an image's arrival at the node to its mask's publication;
with at most {most} regions, as the bundle recommends, and nothing beside it that takes {full:.1f}
ms (p50). In time: share of the
masks that kept the budget; the coarse result alone, measured apart, is about the most that any
choice of regions can keep. `live` is
the Dice of the masks that came over ROS, pooled over all pixels. Two offline scores stand beside
it: each image with as many regions as it had live, and all images with the mean number (on a line
between whole numbers). Where the first equals `live`, the number of regions explains the whole
difference between two rows.
"""

_OVERLOAD = """\
## More images than it can serve

At most {most} regions, as the bundle recommends, no budget. Given three times as many images as it
serves one by one, the node gave {sustained:.1f} masks per second; the rates below are multiples of
that. The camera runs on the same processors: the fewer images it sends, the more the node has of
them. Age is from just before an image's publication to its mask's arrival; the bound is two frame
times and the longest processing.

| images per second | times that | masks per second | dropped | lost on the way, counted \
| without mask or count | age p50 / p95 / p99 ms | bound ms | CPU ms per mask |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def write_page(content: Content, json_name: str, figure_name: str) -> str:
    """Write the page.

    Args:
        content: what `docs/scripts/node/measure_node.py` found, complete.
        json_name: the file that holds it.
        figure_name: the picture's file.

    Returns:
        Markdown.
    """
    facts = content['machine']
    quick = 'A quick run: only to see that it works.' if content['quick'] else ''
    if facts['busy']:
        quick += f' The machine was busy before the start (load {facts["load_before"]}).'
    machine = f'{facts["processor"]}, {facts["usable_cores"]} cores, {facts["system"]}'
    budget = content['budget']
    parts = [
        _INTRODUCTION.format(
            json=json_name,
            machine=machine,
            quick=quick.strip(),
            # Measured before there was a choice.
            selector=content.get('selector', GRID),
        ),
        _overhead(content['overhead']),
        _BUDGET.format(
            figure=figure_name, most=budget['most_regions'], full=budget['full_ms']['idle']
        ),
        *(_budget_table(budget, load) for load in ('idle', 'loaded')),
        _overload(content['overload'], budget['most_regions']),
    ]
    return '\n'.join(parts)


def draw_curves(content: Content, path: Path) -> None:
    """Draw masks in time, regions and Dice against the budget.

    Args:
        content: what `docs/scripts/node/measure_node.py` found.
        path: the PNG file.
    """
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    budget = content['budget']
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout='constrained')
    kept, regions, dice = figure.subplots(1, 3)
    for load, colour in _COLOURS.items():
        rows = [row for row in _by_budget(budget[load]) if row['budget_ms']]
        budgets = [row['budget_ms'] for row in rows]
        kept.plot(
            budgets,
            [100.0 * row['kept'] for row in rows],
            'o-',
            color=colour,
            label=_NAMES[load],
        )
        means = [row['regions_mean'] for row in rows]
        regions.plot(budgets, means, 'o-', color=colour, label=_NAMES[load])
        _draw_dice(dice, rows, colour, load)
    kept.axhline(100.0 * LEAST_KEPT, ls='--', color='grey')
    kept.set(ylabel='masks in time, %', ylim=(-3, 103))
    regions.set(ylabel='regions per frame, mean', ylim=(0, None))
    dice.set(ylabel='Dice, pooled')
    for axes in (kept, regions, dice):
        axes.set(xlabel='latency_budget_ms')
        axes.grid(axis='y', alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(frameon=False, fontsize=7)
    figure.savefig(path)


def _draw_dice(axes: Axes, rows: Sequence[Content], colour: str, load: str) -> None:
    for source, marker in zip(rows[0]['dice'], 'os^', strict=False):
        budgets = [row['budget_ms'] for row in rows]
        scores = [row['dice'][source] for row in rows]
        axes.plot(
            budgets,
            [score['live'] for score in scores],
            marker,
            color=colour,
            label=f'{source}, {_NAMES[load]}',
        )
        beside = [score['offline_mean_regions'] for score in scores]
        axes.plot(budgets, beside, '-', lw=1, color=colour, alpha=0.5)


def _overhead(found: Content) -> str:
    adds = found['node_adds_ms']
    words = 'At most' if found['is_small'] else 'More than'
    return _OVERHEAD.format(
        rate=found['rate_hz'],
        frames=found['frames']['node'],
        echo_faults=found['page_faults_per_image']['echo'],
        node_faults=found['page_faults_per_image']['node'],
        echo_p50=found['echo_ms']['p50'],
        echo_p95=found['echo_ms']['p95'],
        node_p50=found['node_ms']['p50'],
        node_p95=found['node_ms']['p95'],
        pipeline_p50=found['pipeline_ms']['p50'],
        pipeline_p95=found['pipeline_ms']['p95'],
        adds=adds['p50'],
        low=adds['lowest_round'],
        high=adds['highest_round'],
        verdict=f'{words} the {MOST_ADDED_MS:g} ms that it may.',
    )


def _budget_table(budget: Content, load: str) -> str:
    rows = _by_budget(budget[load])
    sources = list(rows[0]['dice'])
    heads = ['budget ms', 'in time', 'in the node p50 / p95 ms', 'regions', 'equal to offline']
    for source in sources:
        heads += [f'{source}: live', 'same regions', 'mean regions']
    lines = [
        f'### {_NAMES[load].capitalize()}\n',
        *(_verdict(budget[load][name], words) for name, words in _halves(budget[load])),
        *_most(budget[load]),
        f'| {" | ".join(heads)} |',
        '| --- ' * len(heads) + '|',
    ]
    for row in rows:
        times = row['node_ms']
        cells = [
            f'{row["budget_ms"]:.1f}' if row['budget_ms'] else 'none',
            f'{row["kept"]:.1%}' if row['kept'] is not None else '',
            f'{times["p50"]:.1f} / {times["p95"]:.1f}',
            f'{row["regions_mean"]:.2f}',
            f'{row["masks_equal_to_offline"]} of {row["masks"]}',
        ]
        for source in sources:
            scores = row['dice'][source]
            cells += [
                f'{scores[key]:.4f}'
                for key in ('live', 'offline_same_regions', 'offline_mean_regions')
            ]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def _halves(curve: Content) -> list[tuple[str, str]]:
    names = {
        'half': 'Half of the full time under this load',
        'half_of_idle': 'Half of the full time with nothing beside the node',
    }
    return [(name, words) for name, words in names.items() if name in curve]


def _verdict(row: Content, words: str) -> str:
    kept, coarse = row['kept'], row['kept_by_coarse_only']
    verdict = 'at least' if kept >= LEAST_KEPT else 'less than'
    return (
        f'{words} is {row["budget_ms"]:.1f} ms: {kept:.1%} of the masks are in time, {verdict} '
        f'{LEAST_KEPT:.0%}; the coarse result alone would be with {coarse:.1%}.\n'
    )


def _most(curve: Content) -> list[str]:
    if 'most' not in curve:
        return []
    found = curve['most']
    full, half = found['full']['node_ms']['p50'], found['half']
    text = (
        f'With the {found["regions"]} regions that the bundle allows at most, the full time is '
        f'{full:.1f} ms (p50). {_verdict(half, "Half of it")[:-1]} {half["regions_mean"]:.1f} of '
        'the regions were refined on average.\n'
    )
    return [text]


def _overload(found: Content, most: int) -> str:
    lines = []
    for row in found['rows']:
        age = row['age_ms']
        cells = [
            f'{row["published_hz"]:.1f}',
            f'{row["times"]:g}',
            f'{row["masks_hz"]:.1f}',
            str(row['frames_dropped']),
            str(row['frames_lost']),
            str(row['without_mask_or_count']),
            f'{age["p50"]:.1f} / {age["p95"]:.1f} / {age["p99"]:.1f}',
            f'{row["age_bound_ms"]:.1f}',
            f'{row["cpu_ms_per_mask"]:.1f}',
        ]
        lines.append(f'| {" | ".join(cells)} |')
    head = _OVERLOAD.format(most=most, sustained=found['sustained_hz'])
    return head + '\n'.join(lines) + '\n'


def _by_budget(curve: Content) -> list[Content]:
    """All rows, from the smallest budget to none at all."""
    rows = [*curve['rows'], *(curve[name] for name, _ in _halves(curve))]
    return sorted(rows, key=lambda row: row['budget_ms'] or float('inf'))
