"""Tests of the report over several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from stseg_ros.measure.seed_report import (
    Spread,
    draw_frontier,
    markdown_table,
    seed_table,
    verdict,
)


def row(mode: str, regions: int, dice: float, macs: int) -> dict[str, Any]:
    scores = dict.fromkeys(('iou', 'precision', 'recall', 'soft_dice', 'boundary_dice'), 0.5)
    return {'mode': mode, 'regions': regions, 'macs': macs, 'images': 7, 'dice': dice} | scores


def document(whole: float, coarse: float, two_stage: float) -> dict[str, Any]:
    return {
        'results': [
            row('whole', 0, whole, 12_000_000_000),
            row('coarse', 0, coarse, 200_000_000),
            row('two_stage', 4, two_stage - 0.01, 1_700_000_000),
            row('two_stage', 8, two_stage, 3_200_000_000),
        ]
    }


@pytest.fixture
def documents() -> dict[int, dict[str, Any]]:
    return {2: document(0.87, 0.80, 0.86), 0: document(0.85, 0.78, 0.88)}


def test_a_spread_names_mean_lowest_and_highest() -> None:
    assert str(Spread(values=(0.5, 0.7, 0.54))) == '0.580 (0.500 to 0.700)'
    assert str(Spread(values=(0.5,))) == '0.500'


def test_rows_of_the_seeds_are_joined(documents: dict[int, dict[str, Any]]) -> None:
    table = seed_table('a set', documents)
    assert (table.seeds, table.images) == ((0, 2), 7)
    chosen = table.row('two_stage', 8)
    assert chosen is not None
    assert chosen.figures['dice'].values == (0.88, 0.86)
    assert table.row('two_stage', 5) is None


def test_the_table_reads_as_markdown(documents: dict[int, dict[str, Any]]) -> None:
    lines = markdown_table(seed_table('a set', documents)).splitlines()
    assert lines[0] == '### a set'
    assert '7 images; seeds 0, 2.' in lines
    assert '| whole |  | 12.00 | 0.860 (0.850 to 0.870) |' in lines[6]
    assert lines[9].startswith('| two-stage | 8 | 3.20 | 0.870 (0.860 to 0.880) |')
    assert len({line.count('|') for line in lines[4:]}) == 1


def test_the_verdict_compares_seed_by_seed(documents: dict[int, dict[str, Any]]) -> None:
    assert verdict(seed_table('a set', documents), 8) == (
        'a set: two stages with K = 8 against coarse only +0.100, +0.060, '
        'against the whole frame +0.030, -0.010.'
    )


def test_no_verdict_without_a_baseline(documents: dict[int, dict[str, Any]]) -> None:
    for one in documents.values():
        del one['results'][0]
    assert verdict(seed_table('a set', documents), 8) == ''


def test_the_frontier_has_a_panel_for_each_set(
    documents: dict[int, dict[str, Any]], tmp_path: Path
) -> None:
    table = seed_table('a set', documents)
    widths = []
    for count in (1, 2):
        path = tmp_path / f'{count}.png'
        draw_frontier([table] * count, path)
        widths.append(cv2.imread(str(path)).shape[1])
    # Inches times dots are rounded.
    assert abs(widths[1] - 2 * widths[0]) <= 2
