"""What the figures show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from stseg_ros.measure.benchmark.figures import (
    draw_time_by_cameras,
    draw_time_by_regions,
    draw_time_by_size,
)

WAYS = [('whole', 0), ('coarse', 0), ('two_stage', 4), ('two_stage', 8), ('reference', 4)]
TORCH = 'reference_torch', 4


def row(size: str, mode: str, regions: int) -> dict[str, Any]:
    median = float(size.partition('x')[0]) / 100.0 + regions
    stages = {
        'coarse': {'p50': 0.25 * median},
        'refine': {'p50': 0.5 * median},
        'fuse': {'p50': 0.25 * median},
    }
    return {
        'size': size,
        'mode': mode,
        'regions': regions,
        'ms': {'p50': median},
        'stages_ms': {} if mode == 'whole' else stages,
    }


@pytest.fixture
def document() -> dict[str, Any]:
    sizes = ('320x180', '160x90')
    return {
        'bundle': 'tiny',
        'backend': 'onnxruntime',
        'device': 'CPU',
        'results': [row(size, *way) for size in sizes for way in WAYS],
    }


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, 'savefig', lambda figure, _: figures.append(figure))
    return figures


def tops_of(figure: Figure) -> dict[float, float]:
    """Measure the piles of bars of the first panel, by the middle of each."""
    containers = figure.axes[0].containers
    bars = [bar for bars in containers if isinstance(bars, BarContainer) for bar in bars]
    tops: dict[float, float] = {}
    for bar in bars:
        if bar.get_height():
            place = round(bar.get_x() + bar.get_width() / 2.0, 6)
            tops[place] = max(tops.get(place, 0.0), bar.get_y() + bar.get_height())
    return tops


def test_stages_are_stacked_to_the_sum(document: dict[str, Any], drawn: list[Figure]) -> None:
    draw_time_by_regions(document, Path('figure.png'))
    first, second = drawn[0].axes
    assert [axes.get_title() for axes in (first, second)] == ['320x180', '160x90']
    assert [tick.get_text() for tick in first.get_xticklabels()] == ['0', '4', '8']
    tops = tops_of(drawn[0])
    # Coarse only, K = 4 and 8, and the published procedure to the right of K = 4.
    assert tops == pytest.approx({-0.18: 3.2, 0.82: 7.2, 1.18: 7.2, 1.82: 11.2})
    (legend,) = drawn[0].legends
    shown = {text.get_text() for text in legend.get_texts()}
    assert shown == {'whole frame', 'coarse', 'refine', 'fuse', 'published'}


def test_pytorch_stands_beside_the_published_procedure(
    document: dict[str, Any], drawn: list[Figure]
) -> None:
    document['results'].append({**row('320x180', *TORCH), 'ms': {'p50': 20.0}})
    document['results'][-1]['stages_ms'] = {'refine': {'p50': 20.0}}
    draw_time_by_regions(document, Path('figure.png'))
    # Three bars, each 0.28 wide, about K = 0, 4 and 8.
    expected = {-0.28: 3.2, 0.72: 7.2, 1.0: 7.2, 1.28: 20.0, 1.72: 11.2}
    assert tops_of(drawn[0]) == pytest.approx(expected)
    (legend,) = drawn[0].legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown[-2:] == ['published', 'published, PyTorch']


def test_time_by_size_has_a_line_for_every_way(
    document: dict[str, Any], drawn: list[Figure]
) -> None:
    document['results'] += [row(size, *TORCH) for size in ('320x180', '160x90')]
    draw_time_by_size(document, 4, Path('figure.png'))
    (axes,) = drawn[0].axes
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert set(lines) == {
        'whole frame',
        'coarse only',
        'two-stage, K = 4',
        'published procedure, K = 4',
        'published procedure in PyTorch, K = 4',
    }
    # Ascending, whatever the order of the rows.
    assert lines['two-stage, K = 4'].get_xdata().tolist() == [0.0144, 0.0576]
    assert lines['two-stage, K = 4'].get_ydata().tolist() == [5.6, 7.2]


def test_figures_are_written(document: dict[str, Any], tmp_path: Path) -> None:
    draw_time_by_regions(document, tmp_path / 'regions.png')
    draw_time_by_size(document, 8, tmp_path / 'size.png')
    for name in ('regions.png', 'size.png'):
        assert (tmp_path / name).read_bytes().startswith(b'\x89PNG')


def test_time_by_cameras_has_a_line_for_each_way(
    document: dict[str, Any], drawn: list[Figure]
) -> None:
    found = [(1, 'in turn', 5.0), (2, 'in turn', 5.5), (2, 'joined', 4.5), (4, 'joined', 4.0)]
    document['cameras'] = [
        {'size': '320x180', 'regions': 8, 'cameras': count, 'way': way, 'frame_ms': ms}
        for count, way, ms in found
    ]
    draw_time_by_cameras(document, Path('figure.png'))
    (axes,) = drawn[0].axes
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert set(lines) == {'in turn', 'joined'}
    assert lines['in turn'].get_ydata().tolist() == [5.0, 5.5]
    assert lines['joined'].get_xdata().tolist() == [2, 4]
    assert 'K = 8' in drawn[0].get_suptitle()
