"""Tests of the study's figures and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stseg_ros.measure.study.figure import draw_criteria
from stseg_ros.measure.study.page import (
    against,
    criterion_table,
    fusion_meanings,
    fusion_table,
)
from stseg_ros.measure.study.rows import COLUMNS, Scores, as_rows, join_runs, regret
from stseg_ros.measure.study.score import COARSE, ORACLE, Choice, Tally

TOTALS = np.array([100, 900, 20, 30, 10])


def tally(tp: int, fp: int, regions: int = 8) -> Tally:
    counts = np.array([tp, fp, tp // 10, fp // 10, 4])
    return Tally(counts=counts, totals=TOTALS, regions=regions, images=4)


def choice(criterion: str, regions: int = 8) -> Choice:
    return Choice(criterion=criterion, fusion='add', regions=regions)


def two_runs() -> Scores:
    runs = [
        as_rows(
            {
                Choice(criterion=COARSE, fusion='', regions=0): tally(50, 50, 0),
                choice(ORACLE): tally(90, 10 + extra),
                choice('grid'): tally(70, 30 + extra),
                choice('margin'): tally(80, 20 + extra),
            }
        )
        for extra in (0, 10)
    ]
    return join_runs(runs)


def test_figures_follow_their_definitions() -> None:
    (row,) = as_rows({choice('grid'): tally(70, 30)})
    found = dict(zip(COLUMNS, row, strict=True))
    assert (found['criterion'], found['fusion'], found['regions']) == ('grid', 'add', 8)
    assert found['mean_regions'] == 2.0
    assert found['dice'] == round(2 * 70 / (2 * 70 + 30 + 30), 4)
    assert found['border_dice'] == round(2 * 7 / (2 * 7 + 3 + 13), 4)
    assert found['small_recall'] == 0.4


def test_no_small_vehicles_are_no_share_of_them() -> None:
    none = Tally(counts=np.zeros(5, int), totals=np.array([9, 9, 9, 9, 0]), regions=0)
    assert as_rows({choice('grid'): none})[0][-1] is None
    assert 'small_recall' not in join_runs([as_rows({choice('grid'): none})])[choice('grid')]


def test_regret_is_taken_run_by_run() -> None:
    # Dice of oracle and grid: 0.9 and 0.7, then 180/210 and 140/200 less what rounding does.
    values = regret(two_runs(), choice('grid'), ORACLE).values
    assert values == pytest.approx((0.9 - 0.7, 180 / 200.0 * 200 / 210 - 140 / 210), abs=1e-3)
    assert against(two_runs(), choice('margin'), choice('grid')) == '+0.100, +0.095'


def test_the_table_has_a_line_for_each_criterion() -> None:
    table = criterion_table(two_runs(), fusion='add', regions=8, regrets=(8,))
    lines = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]
    assert len({len(line) for line in lines}) == 1
    assert [line[0] for line in lines] == ['criterion', '---', COARSE, ORACLE, 'grid', 'margin']
    by_name = {line[0]: line for line in lines}
    assert by_name[ORACLE][-1] == by_name[COARSE][-1] == ''
    assert by_name['grid'][1] == '0.683 (0.667 to 0.700)'


def test_fusions_have_a_line_each() -> None:
    table = fusion_table(two_runs(), criteria=['grid', ORACLE], regions=[8], fusions=['add'])
    assert table.splitlines()[0] == '| fusion | grid, K = 8 | oracle, K = 8 |'
    assert table.splitlines()[2].startswith('| add | 0.683 (')
    assert fusion_meanings(['max']) == '- `max`: the larger of both\n'


def test_the_figure_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip('matplotlib')
    draw_criteria({'streets': two_runs()}, 'add', tmp_path / 'study.png')
    assert (tmp_path / 'study.png').read_bytes().startswith(b'\x89PNG')
