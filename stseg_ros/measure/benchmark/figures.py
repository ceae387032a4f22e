"""Time against the number of regions, against the frame size, and against cameras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.measure.benchmark.cameras import IN_TURN, JOINED
from stseg_ros.measure.benchmark.cases import REFERENCE, REFERENCE_TORCH, STAGES
from stseg_ros.measure.candidates import COARSE, TWO_STAGE, WHOLE
from stseg_ros.measure.score_figure import MODE_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]

_STAGE_COLOURS = dict(
    zip(STAGES, ('#9aa5b1', '#5b8def', '#f2b134', '#1f3c88', '#c3c8ce'), strict=True)
)
_REFERENCE_COLOURS = {REFERENCE: '#6d5a96', REFERENCE_TORCH: '#a3568f'}
# How the bars of the published procedure are told apart, and called.
_HATCHES = {REFERENCE: ('///', 'published'), REFERENCE_TORCH: ('xxx', 'published, PyTorch')}
_WAY_COLOURS = {IN_TURN: MODE_COLOURS[TWO_STAGE], JOINED: '#d1495b'}
_DOTS_PER_INCH = 130
_INCHES_PER_SIZE, _HEIGHT_INCHES = 3.6, 4.5
_WIDTH_INCHES = 8.0
# Of one bar, and of all bars of one number of regions together.
_BAR, _BARS = 0.36, 0.84
_MEGA = 1e6


def draw_time_by_regions(document: Mapping[str, Any], path: Path) -> None:
    """Draw the medians of the stages, stacked, against the number of regions.

    Args:
        document: what `run_benchmark` returned.
        path: the PNG file.
    """
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    rows = document['results']
    sizes = list(dict.fromkeys(row['size'] for row in rows))
    width = max(_WIDTH_INCHES, _INCHES_PER_SIZE * len(sizes))
    figure = Figure(figsize=(width, _HEIGHT_INCHES), dpi=_DOTS_PER_INCH, layout='constrained')
    figure.suptitle(_title(document))
    panels = figure.subplots(1, len(sizes), squeeze=False, sharey=True)[0]
    for axes, size in zip(panels, sizes, strict=True):
        _draw_bars(axes, [row for row in rows if row['size'] == size])
        axes.set(title=size, xlabel='K, regions refined per frame')
        _tidy(axes)
    panels[0].set_ylabel('ms per frame, median')
    lines, labels = panels[0].get_legend_handles_labels()
    named = dict(zip(labels, lines, strict=True))
    figure.legend(
        named.values(), named.keys(), loc='outside lower center', ncols=len(named), frameon=False
    )
    figure.savefig(path)


def draw_time_by_size(document: Mapping[str, Any], regions: int, path: Path) -> None:
    """Draw the medians against the frame size.

    Args:
        document: what `run_benchmark` returned.
        regions: of two stages and of the references.
        path: the PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), dpi=_DOTS_PER_INCH, layout='constrained'
    )
    figure.suptitle(_title(document))
    axes = figure.add_subplot()
    series = (
        (WHOLE, 0, 'whole frame', MODE_COLOURS[WHOLE]),
        *(
            (mode, regions, f'{name}, K = {regions}', _REFERENCE_COLOURS[mode])
            for mode, name in (
                (REFERENCE_TORCH, 'published procedure in PyTorch'),
                (REFERENCE, 'published procedure'),
            )
        ),
        (TWO_STAGE, regions, f'two-stage, K = {regions}', MODE_COLOURS[TWO_STAGE]),
        (COARSE, 0, 'coarse only', MODE_COLOURS[COARSE]),
    )
    for mode, count, label, colour in series:
        rows = sorted(_of(document['results'], mode, count), key=_megapixels)
        if rows:
            medians = [row['ms']['p50'] for row in rows]
            axes.plot([_megapixels(row) for row in rows], medians, 'o-', color=colour, label=label)
    places = {_megapixels(row): row['size'] for row in document['results']}
    axes.set_xscale('log')
    axes.set_xticks(list(places), list(places.values()))
    axes.minorticks_off()
    axes.set(xlabel='frame size', ylabel='ms per frame, median', ylim=(0, None))
    _tidy(axes)
    axes.legend(frameon=False)
    figure.savefig(path)


def draw_time_by_cameras(document: Mapping[str, Any], path: Path) -> None:
    """Draw the median of a round, divided by the cameras, against their number.

    Args:
        document: what `run_benchmark` returned, with several cameras.
        path: the PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), dpi=_DOTS_PER_INCH, layout='constrained'
    )
    rows = document['cameras']
    figure.suptitle(f'{_title(document)}, {rows[0]["size"]}, K = {rows[0]["regions"]}')
    axes = figure.add_subplot()
    for way, colour in _WAY_COLOURS.items():
        own = [row for row in rows if row['way'] == way]
        if own:
            counts, times = zip(*((row['cameras'], row['frame_ms']) for row in own), strict=True)
            axes.plot(counts, times, 'o-', color=colour, label=way)
    axes.set_xticks(sorted({row['cameras'] for row in rows}))
    axes.set(
        xlabel='cameras on one pair of networks', ylabel='ms per frame, median', ylim=(0, None)
    )
    _tidy(axes)
    axes.legend(frameon=False)
    figure.savefig(path)


def _draw_bars(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw two stages, and beside each the references, hatched; the whole frame is a line."""
    counts = sorted({row['regions'] for row in rows if row['mode'] in (COARSE, TWO_STAGE)})
    published = [mode for mode in _HATCHES if any(row['mode'] == mode for row in rows)]
    width = min(_BAR, _BARS / (1 + len(published)))
    first = -width * len(published) / 2.0
    for row in rows:
        mode = row['mode']
        if mode == WHOLE:
            median = row['ms']['p50']
            axes.axhline(median, ls='--', color=MODE_COLOURS[WHOLE], label='whole frame')
            continue
        beside = published.index(mode) + 1 if mode in published else 0
        hatch, _ = _HATCHES.get(mode, ('', ''))
        _stack(axes, row, counts.index(row['regions']) + first + beside * width, width, hatch)
    for mode in published:
        hatch, name = _HATCHES[mode]
        axes.bar([0], [0], facecolor='white', edgecolor='0.4', hatch=hatch, label=name)
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])


def _stack(axes: Axes, row: Row, place: float, width: float, hatch: str) -> None:
    bottom = 0.0
    for stage, times in row['stages_ms'].items():
        axes.bar(
            [place],
            [times['p50']],
            bottom=[bottom],
            width=width,
            facecolor=_STAGE_COLOURS[stage],
            edgecolor='white',
            linewidth=0.0,
            hatch=hatch,
            # Of the pipeline's bars alone: the hatching has a name of its own.
            label='' if hatch else stage,
        )
        bottom += times['p50']


def _tidy(axes: Axes) -> None:
    axes.grid(axis='y', alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)


def _title(document: Mapping[str, Any]) -> str:
    return f'{document["bundle"]}, {document["backend"]} on {document["device"]}'


def _of(rows: Sequence[Row], mode: str, regions: int) -> list[Row]:
    return [row for row in rows if row['mode'] == mode and row['regions'] == regions]


def _megapixels(row: Row) -> float:
    width, height = row['size'].split('x')
    return int(width) * int(height) / _MEGA
