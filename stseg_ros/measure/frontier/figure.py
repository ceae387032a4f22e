"""Dice against milliseconds: the frontier, one panel for each set and frame size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.measure.frontier.points import DEFAULT, FULL, POINTS, Point
from stseg_ros.measure.frontier.record import Scored, read_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_SIZES = ('1280x720', '1920x1080')
_PANEL_INCHES = (5.4, 4.0)
_DOTS_PER_INCH = 120
_COLOURS = {'single-stage': '#6b7280', 'grid': '#1f3c88', 'components': '#d1495b'}
_OTHER = '#6d5a96'


def draw_frontier(record: Mapping[str, Any], path: Path) -> None:
    """Draw means over the runs, with the lowest and the highest.

    Args:
        record: scores and times.
        path: the PNG file; not written without times.
    """
    if record['timing'] is None or not record['scores']:
        return
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    by_title = {title: timing['sizes'] for title, timing in record['timing'].items()}
    titles = [title for title in record['scores'] if title in by_title]
    sizes = shown_sizes(by_title[titles[0]])
    width, height = _PANEL_INCHES
    figure = Figure(
        figsize=(width * len(titles), height * len(sizes) + 0.4),
        dpi=_DOTS_PER_INCH,
        layout='constrained',
    )
    panels = figure.subplots(len(sizes), len(titles), squeeze=False)
    for row, size in zip(panels, sizes, strict=True):
        for axes, title in zip(row, titles, strict=True):
            scores = read_scores(record, title)
            _draw_panel(axes, scores, by_title[title][size])
            for series, dots in paper_dots(record, title, by_title[title][size]).items():
                axes.plot(*zip(*dots, strict=True), 's', color=_OTHER, ms=4, label=series)
            axes.set_title(f'{title}\nframes of {size}', fontsize='medium')
    lines, labels = panels[0][0].get_legend_handles_labels()
    named = dict(zip(labels, lines, strict=True))
    figure.legend(named.values(), named.keys(), loc='outside lower center', ncols=3, frameon=False)
    figure.savefig(path)


def shown_sizes(sizes: Mapping[str, Any]) -> list[str]:
    """Choose the frame sizes that tables and figures show.

    Args:
        sizes: by frame size, what was timed.

    Returns:
        The usual ones, or else the first.
    """
    return [size for size in SHOWN_SIZES if size in sizes] or list(sizes)[:1]


def paper_dots(
    record: Mapping[str, Any], title: str, times: Mapping[str, Any]
) -> dict[str, list[tuple[float, float]]]:
    """List what of the paper's network is both scored and timed.

    Args:
        record: scores and times.
        title: the set's.
        times: by label, of one frame size.

    Returns:
        By the network's name its places: ms and mean Dice.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for label, point in read_scores({'scores': record['paper']}, title).items():
        if label in times:
            series = label.rpartition(', ')[0]
            found.setdefault(series, []).append((times[label]['ms']['p50'], point.dice))
    return found


def _draw_panel(axes: Axes, scores: Mapping[str, Scored], times: Mapping[str, Any]) -> None:
    points = [point for point in POINTS if point.label in scores and point.label in times]
    for series, colour in _COLOURS.items():
        own = [point for point in points if point.series == series]
        if own:
            _draw_series(axes, own, scores, times, colour)
    if DEFAULT in scores and DEFAULT in times:
        axes.plot(
            [times[DEFAULT]['ms']['p50']],
            [scores[DEFAULT].dice],
            'o',
            ms=12,
            mfc='none',
            mec='black',
            label=f'the default, {DEFAULT}',
        )
    axes.set_xscale('log')
    axes.set(xlabel='ms per frame, median', ylabel='Dice, pooled')
    axes.grid(alpha=0.3, which='both')
    axes.spines[['top', 'right']].set_visible(False)


def _draw_series(
    axes: Axes,
    points: list[Point],
    scores: Mapping[str, Scored],
    times: Mapping[str, Any],
    colour: str,
) -> None:
    ordered = sorted(points, key=lambda point: float(times[point.label]['ms']['p50']))
    places_ms = [times[point.label]['ms']['p50'] for point in ordered]
    means = [scores[point.label].dice for point in ordered]
    spreads = [scores[point.label].values('dice') for point in ordered]
    below = [mean - min(values) for mean, values in zip(means, spreads, strict=True)]
    above = [max(values) - mean for mean, values in zip(means, spreads, strict=True)]
    axes.errorbar(
        places_ms,
        means,
        yerr=(below, above),
        fmt='o-',
        ms=4,
        lw=1.2,
        elinewidth=0.6,
        color=colour,
        label=points[0].series,
    )
    for point, place_ms, mean in zip(ordered, places_ms, means, strict=True):
        name = point.label.rpartition(' ')[2] if point.label != FULL else '1'
        axes.annotate(
            name, (place_ms, mean), xytext=(3, 4), textcoords='offset points', fontsize=7
        )
