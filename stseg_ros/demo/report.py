"""The demonstration's report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from stseg_ros.demo.demo_records import DemoRun
from stseg_ros.demo.summary import STAGES, frame_dice
from stseg_ros.records import UInt8Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ('#9aa5b1', '#5b8def', '#1f3c88', '#f2b134', '#d1495b', '#66a182', '#c3c8ce')
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2430; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse } td, th { padding: .2rem 1.2rem .2rem 0; text-align: left }
td:nth-child(2) { font-variant-numeric: tabular-nums }
img { max-width: 100% } figure { margin: 1rem 0 } figcaption { color: #57606a }
.bad { color: #b3261e; font-weight: 600 }
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownFrame:
    """A picture in the report.

    Attributes:
        caption: what it shows.
        picture_bgr: (H, W, 3) uint8.
    """

    caption: str
    picture_bgr: UInt8Array


def write_report(run: DemoRun, summary: Mapping[str, Any], shown: Sequence[ShownFrame]) -> str:
    """Compose the report.

    Args:
        run: the recorded run.
        summary: its figures, from `summarize`.
        shown: pictures to show, in order.

    Returns:
        The text of an HTML file.
    """
    title = f'Two-stage vehicle segmentation over ROS 2: {run.title}'
    figures = ''.join(
        f'<figure><img alt="{html.escape(item.caption)}" src="data:image/jpeg;base64,'
        f'{_jpeg(item.picture_bgr)}"><figcaption>{html.escape(item.caption)}</figcaption></figure>'
        for item in shown
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>'
        f'<h1>{html.escape(title)}</h1>{_verdict(summary)}{_table(summary_rows(summary))}'
        f'<h2>Latency of each frame</h2>{_svg(_latency_figure(run))}'
        f'<h2>Stages of each frame</h2>{_svg(_stages_figure(run))}'
        f'{_dice_section(run)}<h2>Frames</h2>{figures}</body></html>\n'
    )


def summary_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Choose and word the figures that people look for.

    Args:
        summary: from `summarize`.

    Returns:
        Names and values.
    """
    latency = summary['latency_ms'] or {}
    rows = [
        ('frames published', f'{summary["frames_published"]} at {summary["rate_hz"]:g} Hz'),
        ('masks received', f'{summary["masks_received"]}'),
        ('frames lost', f'{summary["frames_lost"]}'),
        ('dropped by the node', f'{summary["frames_dropped_by_node"]}'),
        (
            'image out to mask in',
            ', '.join(f'{key} {latency[key]:.1f} ms' for key in ('p50', 'p95', 'p99') if latency)
            or 'no mask came',
        ),
        ('pipeline, image to mask', _ms(summary['pipeline_ms'])),
        ('its two network calls', _ms(summary['networks_ms'])),
        ('pipeline / networks', _number(summary['pipeline_over_networks'])),
        ('what the node adds', _ms(summary['node_adds_ms'])),
        ('transport, both ways', _ms(summary['transport_ms'])),
        (
            'same mask without ROS',
            f'{summary["masks_equal_to_offline"]} of {summary["masks_received"]}',
        ),
        ('backend', f'{summary["backend"]} on {summary["device"]}'),
    ]
    if summary['dice']:
        pooled = summary['dice']['pooled']
        rows.append(
            ('Dice against the truth', f'{pooled:.3f} ({summary["dice"]["frames"]} frames)')
        )
    return rows


def _verdict(summary: Mapping[str, Any]) -> str:
    if not summary['masks_received']:
        return '<p class="bad">No mask came back.</p>'
    missing = summary['frames_published'] - summary['masks_received']
    if missing:
        return (
            f'<p class="bad">{missing} of {summary["frames_published"]} frames have no mask.</p>'
        )
    return f'<p>Every one of {summary["frames_published"]} frames came back as a mask.</p>'


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = ''.join(
        f'<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<table>{cells}</table>'


def _new_figure(height_inches: float) -> Figure:
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    return Figure(figsize=(9.0, height_inches), layout='constrained')


def _latency_figure(run: DemoRun) -> Figure:
    figure = _new_figure(2.6)
    axes = figure.add_subplot()
    latency = [np.nan if frame.latency_ms is None else frame.latency_ms for frame in run.frames]
    axes.plot(latency, color=_COLOURS[2], linewidth=1)
    axes.axhline(
        1000.0 / run.rate_hz, color=_COLOURS[4], linestyle=':', label='time between frames'
    )
    axes.set(
        xlabel='frame', ylabel='image out to mask in, ms', ylim=(0, None), xlim=(0, len(latency))
    )
    axes.legend(frameon=False)
    return figure


def _stages_figure(run: DemoRun) -> Figure:
    figure = _new_figure(3.0)
    axes = figure.add_subplot()
    index = np.arange(len(run.frames))
    bottom = np.zeros(len(run.frames))
    for stage, colour in zip(STAGES, _COLOURS, strict=True):
        values = np.array([frame.timing.get(f'{stage}_ms', 0.0) for frame in run.frames])
        axes.bar(index, values, bottom=bottom, width=1.0, color=colour, label=stage)
        bottom += values
    axes.set(xlabel='frame', ylabel='ms', xlim=(0, len(run.frames)))
    axes.legend(frameon=False, ncols=len(STAGES), loc='upper center', fontsize='small')
    axes.set_ylim(0, max(1.0, bottom.max() * 1.2))
    return figure


def _dice_section(run: DemoRun) -> str:
    scores = [frame_dice(frame) for frame in run.frames]
    if all(score is None for score in scores):
        return ''
    figure = _new_figure(2.4)
    axes = figure.add_subplot()
    axes.plot([np.nan if score is None else score for score in scores], color=_COLOURS[5])
    axes.set(xlabel='frame', ylabel='Dice', ylim=(0, 1), xlim=(0, len(scores)))
    return f'<h2>Agreement with the truth</h2>{_svg(figure)}'


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format='svg')
    return '<figure>' + text.getvalue()[text.getvalue().index('<svg') :] + '</figure>'


def _jpeg(picture_bgr: UInt8Array) -> str:
    encoded, data = cv2.imencode('.jpg', picture_bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert encoded
    return base64.b64encode(data.tobytes()).decode('ascii')


def _ms(value: float | None) -> str:
    return 'not measured' if value is None else f'{value:.1f} ms'


def _number(value: float | None) -> str:
    return 'not measured' if value is None else f'{value:.2f}'
