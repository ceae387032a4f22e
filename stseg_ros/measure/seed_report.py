"""Several training runs of one recipe, as a table with their spread and as a frontier plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from stseg_ros.measure.candidates import COARSE, TWO_STAGE, WHOLE
from stseg_ros.measure.score_figure import MODE_COLOURS

_GIGA = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What several seeds gave.

    Attributes:
        values: one figure per seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self.values)

    def __str__(self) -> str:
        """Write the mean with the lowest and the highest; one value alone."""
        if len(self.values) == 1:
            return f'{self.mean:.3f}'
        return f'{self.mean:.3f} ({min(self.values):.3f} to {max(self.values):.3f})'


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedTable:
    """One labelled set, scored with every seed.

    Attributes:
        title: what was scored.
        images: how many.
        seeds: the seeds, in order.
        rows: one per mode and number of regions, in the order of the evaluation.
    """

    title: str
    images: int
    seeds: tuple[int, ...]
    rows: tuple[SeedRow, ...]

    def row(self, mode: str, regions: int | None = None) -> SeedRow | None:
        """Find a row.

        Args:
            mode: 'whole', 'coarse' or 'two_stage'.
            regions: of two stages; None takes the first.

        Returns:
            The row, or None if there is none.
        """
        found = (row for row in self.rows if row.mode == mode)
        return next((row for row in found if regions in (None, row.regions)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRow:
    """One way to run, with every seed.

    Attributes:
        mode: 'whole', 'coarse' or 'two_stage'.
        regions: regions refined, at most.
        macs: multiply-accumulates per frame, the mean.
        figures: by name the spread of each score.
    """

    mode: str
    regions: int
    macs: int
    figures: Mapping[str, Spread]


FIGURES = ('dice', 'iou', 'precision', 'recall', 'soft_dice', 'boundary_dice')


def seed_table(title: str, documents: Mapping[int, Mapping[str, Any]]) -> SeedTable:
    """Join the evaluations of several seeds on one set.

    Args:
        title: what was scored.
        documents: by seed what `stseg evaluate --json` wrote; the same modes in each.

    Returns:
        The table.
    """
    seeds = tuple(sorted(documents))
    results = [documents[seed]['results'] for seed in seeds]
    rows = tuple(
        SeedRow(
            mode=same[0]['mode'],
            regions=same[0]['regions'],
            macs=round(fmean(row['macs'] for row in same)),
            figures={
                name: Spread(values=tuple(float(row[name]) for row in same)) for name in FIGURES
            },
        )
        for same in zip(*results, strict=True)
    )
    return SeedTable(title=title, images=results[0][0]['images'], seeds=seeds, rows=rows)


def markdown_table(table: SeedTable) -> str:
    """Write a table: the mean over the seeds, and the lowest and the highest in brackets.

    Args:
        table: what to write.

    Returns:
        Markdown that ends in a line break.
    """
    seeds = ', '.join(str(seed) for seed in table.seeds)
    lines = [
        f'### {table.title}',
        '',
        f'{table.images} images; seeds {seeds}.',
        '',
        '| mode | K | GMAC | Dice | IoU | precision | recall | Dice at borders |',
        '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ]
    for row in table.rows:
        figures = row.figures
        scores = ('dice', 'iou', 'precision', 'recall', 'boundary_dice')
        cells = [
            row.mode.replace('_', '-'),
            str(row.regions) if row.mode == TWO_STAGE else '',
            f'{row.macs / _GIGA:.2f}',
            *(str(figures[name]) for name in scores),
        ]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def verdict(table: SeedTable, regions: int) -> str:
    """Say what two stages gain over the coarse network and lose to the whole frame.

    Args:
        table: the scores of one set.
        regions: regions refined.

    Returns:
        A sentence with both differences of Dice, seed by seed; empty if a mode is missing.
    """
    chosen, coarse = table.row(TWO_STAGE, regions), table.row(COARSE)
    whole = table.row(WHOLE)
    if chosen is None or coarse is None or whole is None:
        return ''
    gained = _differences(chosen, coarse)
    against_whole = _differences(chosen, whole)
    return (
        f'{table.title}: two stages with K = {regions} against coarse only {gained}, '
        f'against the whole frame {against_whole}.'
    )


def _differences(first: SeedRow, second: SeedRow) -> str:
    pairs = zip(first.figures['dice'].values, second.figures['dice'].values, strict=True)
    return ', '.join(f'{one - other:+.3f}' for one, other in pairs)


def draw_frontier(tables: Sequence[SeedTable], path: Path) -> None:
    """Draw Dice against MACs for each set; bars reach from the lowest seed to the highest.

    Args:
        tables: one panel each.
        path: the picture's file.
    """
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(tables), 4.0), dpi=110, layout='constrained')
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, table in zip(panels, tables, strict=True):
        for mode in (TWO_STAGE, COARSE, WHOLE):
            rows = [row for row in table.rows if row.mode == mode]
            dice = [row.figures['dice'] for row in rows]
            axes.errorbar(
                [row.macs / _GIGA for row in rows],
                [spread.mean for spread in dice],
                yerr=(
                    [spread.mean - min(spread.values) for spread in dice],
                    [max(spread.values) - spread.mean for spread in dice],
                ),
                fmt='o-' if mode == TWO_STAGE else 's',
                color=MODE_COLOURS[mode],
                capsize=3,
                label=mode.replace('_', '-'),
            )
        axes.set(title=table.title, xlabel='GMAC per frame', ylabel='Dice, pooled')
        axes.grid(axis='y', alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    panels[0].legend(frameon=False)
    figure.savefig(path)
