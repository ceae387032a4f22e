"""A soak in one picture: memory, what else is held, ages, and what became of the images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {
    'masks_received': '#66a182',
    'dropped': '#9aa5b1',
    'bad': '#f2b134',
    'lost': '#5b8def',
    'failed': '#d1495b',
}
_DARK, _LIGHT, _ALARM = '#1f3c88', '#5b8def', '#d1495b'
_DOTS_PER_INCH = 130
_SIZE_INCHES = (9.0, 9.0)
_S_PER_MIN = 60.0


def draw_soak(document: Mapping[str, Any], path: Path) -> None:
    """Draw a soak.

    Args:
        document: from `make_document`.
        path: the PNG file.
    """
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout='constrained')
    settings = document['settings']
    broken = sum(promise['kept'] is False for promise in document['promises'])
    figure.suptitle(
        f'{document["seconds"]:.0f} s at {document["rate_hz"]:.1f} images per second, '
        f'{settings["bundle"]} on {settings["backend"]}: '
        + (f'promises broken: {broken}' if broken else 'all promises kept')
    )
    panels = figure.subplots(4, 1, sharex=True)
    minutes = [at_s / _S_PER_MIN for at_s in document['series']['at_s']]
    _draw_memory(panels[0], document, minutes)
    _draw_held(panels[1], document, minutes)
    _draw_ages(panels[2], document)
    _draw_counts(panels[3], document, minutes)
    for axes in panels:
        axes.axvline(document['settling_s'] / _S_PER_MIN, color='0.6', ls=':')
        axes.grid(axis='y', alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
        axes.set_ylim(0, None)
        axes.legend(frameon=False, loc='upper left', bbox_to_anchor=(1.0, 1.0), fontsize='small')
    panels[-1].set_xlabel('minutes; dotted: until here it may settle')
    figure.savefig(path)


def _draw_memory(axes: Axes, document: Mapping[str, Any], minutes: list[float]) -> None:
    series = document['series']
    axes.plot(minutes, series['resident_mb'], color=_DARK, label='resident')
    axes.plot(minutes, series['anonymous_mb'], color=_LIGHT, label='neither file nor shared')
    axes.set(ylabel='memory, MB')


def _draw_held(axes: Axes, document: Mapping[str, Any], minutes: list[float]) -> None:
    series = document['series']
    axes.plot(minutes, series['descriptors'], color=_DARK, label='file descriptors')
    axes.plot(minutes, series['threads'], color=_LIGHT, label='threads')
    axes.set(ylabel='held')


def _draw_ages(axes: Axes, document: Mapping[str, Any]) -> None:
    windows = document['age_series']
    minutes = [window['at_s'] / _S_PER_MIN for window in windows]
    for name, colour in (('p50', _LIGHT), ('p95', _DARK), ('p99', _ALARM)):
        axes.plot(minutes, [window[name] for window in windows], '.-', color=colour, label=name)
    axes.set(ylabel='age of masks, ms')


def _draw_counts(axes: Axes, document: Mapping[str, Any], minutes: list[float]) -> None:
    series = document['series']
    columns = [[count - series[name][0] for count in series[name]] for name in _COLOURS]
    axes.stackplot(
        minutes,
        columns,
        labels=[name.replace('_received', '') for name in _COLOURS],
        colors=list(_COLOURS.values()),
    )
    sent = [count - series['published'][0] for count in series['published']]
    axes.plot(minutes, sent, color='black', lw=1, label='sent')
    axes.set(ylabel='images')
