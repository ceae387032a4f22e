"""Tests of the page and the picture, on made-up figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

from stseg_ros.measure.node.page import draw_curves, write_page

TIMES = {'p50': 11.0, 'p95': 22.0, 'p99': 33.0, 'max': 44.0}


def row(budget_ms: float, kept: float | None, live: float) -> dict[str, Any]:
    scores = {'live': live, 'offline_same_regions': 0.75, 'offline_mean_regions': 0.7123}
    return {
        'budget_ms': budget_ms,
        'frames': 100,
        'masks': 99,
        'kept': kept,
        'node_ms': TIMES,
        'regions_mean': 3.25,
        'masks_equal_to_offline': 98,
        'dice': {'scenes': scores, 'photos': scores},
    }


def content(half_kept: float = 0.97) -> dict[str, Any]:
    curve = {
        'half': {**row(13.0, half_kept, 0.81), 'kept_by_coarse_only': 0.991},
        'rows': [row(0.01, 0.0, 0.7), row(26.0, 0.96, 0.9), row(0.0, None, 0.91)],
    }
    return {
        'machine': {
            'processor': 'A processor',
            'usable_cores': 2,
            'system': 'Linux',
            'busy': False,
            'load_before': 0.1,
        },
        'quick': False,
        'overhead': {
            'rate_hz': 15.0,
            'frames': {'echo': 450, 'node': 450},
            'echo_ms': TIMES,
            'node_ms': TIMES,
            'pipeline_ms': TIMES,
            'node_adds_ms': {'p50': 1.75, 'lowest_round': 1.5, 'highest_round': 2.0},
            'is_small': True,
            'page_faults_per_image': {'echo': 2.5, 'node': 0.1},
        },
        'budget': {
            'most_regions': 8,
            'full_ms': {'idle': 26.0, 'loaded': 40.0},
            'idle': curve,
            'loaded': {
                **curve,
                'half_of_idle': {**curve['half'], 'kept': 0.5},
                'most': {
                    'regions': 32,
                    'full': {'node_ms': {**TIMES, 'p50': 90.0}},
                    'half': {
                        'budget_ms': 45.0,
                        'kept': 0.985,
                        'kept_by_coarse_only': 0.9975,
                        'regions_mean': 11.25,
                    },
                },
            },
        },
        'overload': {
            'sustained_hz': 38.5,
            'rows': [
                {
                    'times': 2.0,
                    'published_hz': 77.0,
                    'masks_hz': 38.0,
                    'frames_dropped': 300,
                    'frames_lost': 4,
                    'without_mask_or_count': 0,
                    'age_ms': TIMES,
                    'age_bound_ms': 66.0,
                    'cpu_ms_per_mask': 31.5,
                }
            ],
        },
    }


def test_the_page_says_every_figure() -> None:
    page = write_page(content(), 'node.json', 'node.png')
    assert '**1.75** (1.50 to 2.00 by round)' in page
    assert 'At most the 3 ms that it may.' in page
    assert '![Share of masks in time, regions and Dice against the budget](node.png)' in page
    assert (
        '| 13.0 | 97.0% | 11.0 / 22.0 | 3.25 | 98 of 99 | 0.8100 | 0.7500 | 0.7123 | 0.8100 '
        in page
    )
    assert '13.0 ms: 97.0% of the masks are in time, at least 95%; the coarse result alone' in page
    assert 'alone would be with 99.1%.' in page
    assert 'nothing beside the node is 13.0 ms: 50.0% of the masks are in time, less than' in page
    assert '| 77.0 | 2 | 38.0 | 300 | 4 | 0 | 11.0 / 22.0 / 33.0 | 66.0 | 31.5 |' in page
    assert (
        'With the 32 regions that the bundle allows at most, the full time is 90.0 ms (p50). Half '
        'of it is 45.0 ms: 98.5% of the masks are in time, at least 95%; the coarse result alone '
        'would be with 99.8%. 11.2 of the regions were refined on average.' in page
    )
    # The other load has no such figures.
    assert page.count('regions that the bundle allows') == 1
    assert 'was given 2.5 pages of memory per image,\nthe node 0.1 (' in page
    assert 'node.json' in page
    assert 'busy before' not in page
    assert 'quick' not in page


def test_budgets_are_in_order_and_no_budget_is_last() -> None:
    page = write_page(content(), 'node.json', 'node.png')
    table = page[page.index('### Nothing') : page.index('### A busy')]
    lines = [line for line in table.splitlines() if line.startswith('| ') and '%' in line]
    assert [line.split()[1] for line in lines] == ['0.0', '13.0', '26.0']
    assert table.rstrip().splitlines()[-1].startswith('| none |')


def test_broken_promises_are_told() -> None:
    broken = content(half_kept=0.9)
    broken['overhead']['is_small'] = False
    broken['machine'].update(busy=True, load_before=7.5)
    page = write_page({**broken, 'quick': True}, 'node.json', 'node.png')
    assert 'More than the 3 ms that it may.' in page
    assert '90.0% of the masks are in time, less than 95%' in page
    assert 'A quick run' in page
    assert 'busy before the start (load 7.5)' in page


def test_every_table_has_as_many_cells_as_heads() -> None:
    page = write_page(content(), 'node.json', 'node.png')
    for block in page.split('\n\n'):
        rows = [line for line in block.splitlines() if line.startswith('|')]
        assert len({line.count('|') for line in rows}) <= 1, block


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw_curves(content(), tmp_path / 'node.png')
    picture = cv2.imread(str(tmp_path / 'node.png'))
    assert picture is not None
    assert picture.shape[1] > 1000
    assert picture.std() > 5
