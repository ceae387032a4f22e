"""Dice against the regions refined, for every criterion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.measure.study.rows import Scores
from stseg_ros.measure.study.score import COARSE, ORACLE, Choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_PANEL_INCHES = (4.4, 3.6)
_DOTS_PER_INCH = 110
_PANELS_PER_ROW = 3
_TICKS = (2, 4, 8, 16, 32)


def draw_criteria(sets: Mapping[str, Scores], fusion: str, path: Path) -> None:
    """Draw one panel for each set: means over the runs, at every K.

    Args:
        sets: scores by the set's title.
        fusion: the fusion.
        path: the PNG file.
    """
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    rows = -(-len(sets) // _PANELS_PER_ROW)
    columns = min(len(sets), _PANELS_PER_ROW)
    size_inches = _PANEL_INCHES[0] * columns, _PANEL_INCHES[1] * rows + 0.8
    figure = Figure(figsize=size_inches, dpi=_DOTS_PER_INCH, layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    choices = [choice for scores in sets.values() for choice in scores]
    names = dict.fromkeys(choice.criterion for choice in choices if choice.fusion == fusion)
    # One colour for each criterion in all panels.
    colours = {name: f'C{place}' for place, name in enumerate(sorted({*names} - {ORACLE}))}
    lines: dict[str, Line2D] = {}
    for axes, (title, scores) in zip(panels, sets.items(), strict=False):
        for name in names:
            _draw_line(axes, scores, name, fusion, colours.get(name, 'black'), lines)
        coarse = scores[Choice(criterion=COARSE, fusion='', regions=0)]['dice'].mean
        lines[COARSE] = axes.axhline(coarse, color='0.6', linestyle=':')
        axes.set_xscale('log', base=2)
        axes.set_xticks(_TICKS, [str(tick) for tick in _TICKS])
        axes.set_title(title, fontsize='medium')
        axes.set(xlabel='regions refined, mean', ylabel='Dice, pooled')
        axes.grid(axis='y', alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    for axes in panels[len(sets) :]:
        axes.remove()
    figure.legend(lines.values(), lines.keys(), loc='outside lower center', ncols=6, frameon=False)
    figure.savefig(path)


def _draw_line(
    axes: Axes,
    scores: Scores,
    criterion: str,
    fusion: str,
    colour: str,
    lines: dict[str, Line2D],
) -> None:
    """Draw one criterion; one that this set does not have is left out."""
    choices = [
        choice for choice in scores if (choice.criterion, choice.fusion) == (criterion, fusion)
    ]
    if not choices:
        return
    ordered = sorted(choices, key=lambda choice: choice.regions)
    (lines[criterion],) = axes.plot(
        [scores[choice]['mean_regions'].mean for choice in ordered],
        [scores[choice]['dice'].mean for choice in ordered],
        '--' if criterion == ORACLE else '.-',
        color=colour,
    )
