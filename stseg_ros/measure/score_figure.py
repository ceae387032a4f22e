"""The paper's two figures: Dice and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.measure.candidates import COARSE, TWO_STAGE, WHOLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]

MODE_COLOURS = {TWO_STAGE: '#1f3c88', COARSE: '#d1495b', WHOLE: '#66a182'}
_NAMES = {TWO_STAGE: 'two-stage', COARSE: 'coarse only', WHOLE: 'whole frame'}
_GIGA = 1e9
_SIZE_INCHES = (11.0, 4.5)
_DOTS_PER_INCH = 130
# So that a difference of 0.001 does not look like one.
_SMALLEST_DICE_RANGE = 0.06
# Two curves nearer than this, relatively, are one.
_VISIBLE_DIFFERENCE = 0.01


def draw_dice_and_macs(
    rows: Sequence[Row], chosen: Mapping[str, int], title: str, path: Path
) -> None:
    """Draw Dice and MACs per frame: against K for one bundle, against the grid for several.

    Args:
        rows: of `score_rows.full_row`, each with its `bundle` and `grid`.
        chosen: for each bundle the number of regions it runs with.
        title: what was scored.
        path: the PNG file.
    """
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout='constrained')
    figure.suptitle(title)
    dice, macs = figure.subplots(1, 2)
    draw = _against_regions if len(chosen) == 1 else _against_grid
    draw(dice, rows, chosen, 'dice', 1.0)
    draw(macs, rows, chosen, 'macs', _GIGA)
    if len(chosen) == 1:
        _add_paper_flops(macs, rows)
    low, high = dice.get_ylim()
    margin = max(0.0, _SMALLEST_DICE_RANGE - (high - low)) / 2.0
    dice.set(ylabel='Dice, pooled', ylim=(low - margin, high + margin))
    macs.set(ylabel='GMAC per frame', ylim=(0, None))
    for axes in (dice, macs):
        axes.grid(axis='y', alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    # The right side has every line of the left one; below both, a legend hides no point.
    lines, labels = macs.get_legend_handles_labels()
    named = dict(zip(labels, lines, strict=True))
    figure.legend(
        named.values(), named.keys(), loc='outside lower center', ncols=len(named), frameon=False
    )
    figure.savefig(path)


def _against_regions(
    axes: Axes, rows: Sequence[Row], chosen: Mapping[str, int], figure: str, unit: float
) -> None:
    two_stage = _of(rows, TWO_STAGE)
    counts = [row['regions'] for row in two_stage]
    values = [row[figure] / unit for row in two_stage]
    axes.plot(counts, values, 'o-', color=MODE_COLOURS[TWO_STAGE], label=_NAMES[TWO_STAGE])
    for count, value in zip(counts, values, strict=True):
        if count in chosen.values():
            colour = MODE_COLOURS[TWO_STAGE]
            axes.plot(count, value, 'o', color=colour, ms=13, mfc='none', label='chosen')
    for mode in (COARSE, WHOLE):
        for row in _of(rows, mode):
            axes.axhline(row[figure] / unit, ls='--', color=MODE_COLOURS[mode], label=_NAMES[mode])
    axes.set_xscale('log', base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set(xlabel='K, regions refined per frame')


def _add_paper_flops(axes: Axes, rows: Sequence[Row]) -> None:
    """Add the paper's count, where transposed convolutions make it another than ours."""
    two_stage = _of(rows, TWO_STAGE)
    if all(
        abs(row['paper_flops'] - row['macs']) <= _VISIBLE_DIFFERENCE * row['macs']
        for row in two_stage
    ):
        return
    axes.plot(
        [row['regions'] for row in two_stage],
        [row['paper_flops'] / _GIGA for row in two_stage],
        'o:',
        color=MODE_COLOURS[TWO_STAGE],
        alpha=0.5,
        markersize=4,
        label="two-stage, the paper's count",
    )


def _against_grid(
    axes: Axes, rows: Sequence[Row], chosen: Mapping[str, int], figure: str, unit: float
) -> None:
    bundles = list(chosen)
    for mode in (TWO_STAGE, COARSE, WHOLE):
        points = [
            (bundles.index(row['bundle']), row)
            for row in _of(rows, mode)
            if mode != TWO_STAGE or row['regions'] == chosen[row['bundle']]
        ]
        if not points:
            continue
        places = [place for place, _ in points]
        values = [row[figure] / unit for _, row in points]
        style = 'o-' if mode == TWO_STAGE else 'o--'
        axes.plot(places, values, style, color=MODE_COLOURS[mode], label=_NAMES[mode])
        if mode == TWO_STAGE:
            for place, value, (_, row) in zip(places, values, points, strict=True):
                note = f'K = {row["regions"]}'
                axes.annotate(note, (place, value), (0, 7), textcoords='offset points')
    grids = {row['bundle']: row['grid'] for row in rows}
    names = [f'{grids[name][0]} x {grids[name][1]}\n{name}' for name in bundles]
    axes.set_xticks(range(len(bundles)), names)
    axes.set(xlabel='grid of regions', xlim=(-0.4, len(bundles) - 0.6))


def _of(rows: Sequence[Row], mode: str) -> list[Row]:
    return [row for row in rows if row['mode'] == mode]
