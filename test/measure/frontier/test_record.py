"""What is joined, and what other pages have scored already."""

from __future__ import annotations

from typing import Any

import pytest

from stseg_ros.measure.frontier.record import (
    adopt_recipe_rows,
    gains,
    read_scores,
    times_faster,
)


def row(mode: str, regions: int, dice: float, macs: int) -> dict[str, Any]:
    """Make a row as `stseg evaluate` writes it."""
    return {
        'mode': mode,
        'regions': regions,
        'dice': dice,
        'boundary_dice': dice / 2.0,
        'by_size': {'small': {'components': 3, 'recall': 0.25, 'hit_rate': None}},
        'mean_regions': float(regions),
        'macs': macs,
    }


RECIPE = [
    row('whole', 0, 0.7, 3200),
    row('coarse', 0, 0.6, 50),
    row('two_stage', 2, 0.65, 250),
    row('two_stage', 8, 0.75, 850),
]


def test_rows_of_the_recipe_get_the_labels_of_the_frontier() -> None:
    found = adopt_recipe_rows(RECIPE)
    dice = {label: it['dice'] for label, it in found.items()}
    assert dice == {
        'single-stage 1/1': 0.7,
        'single-stage 1/8': 0.6,
        'components K = 2': 0.65,
        'components K = 8': 0.75,
    }
    assert found['components K = 8'] == {
        'dice': 0.75,
        'boundary_dice': 0.375,
        'mean_regions': 8.0,
        'macs': 850,
        'small_recall': 0.25,
        'small_hit_rate': None,
    }


def test_runs_are_joined_by_label() -> None:
    record = {
        'scores': {
            'street': {
                'seed0': {'one': {'dice': 0.8, 'small_recall': None}, 'two': {'dice': 0.7}},
                'seed1': {'one': {'dice': 0.6, 'small_recall': 0.5}},
            }
        }
    }
    scores = read_scores(record, 'street')
    assert scores['one'].dice == pytest.approx(0.7)
    assert scores['one'].values('small_recall') == [0.5]
    assert list(scores['two'].rows) == ['seed0']
    assert gains(scores['one'], scores['two']) == pytest.approx({'seed0': 0.1})
    assert read_scores(record, 'sky') == {}


def test_times_are_compared_round_by_round() -> None:
    times = {
        'slow': {'round_ms': [20.0, 40.0, 20.0]},
        'fast': {'round_ms': [10.0, 20.0, 10.0]},
    }
    ratio = times_faster(times, 'fast', 'slow')
    # In every round twice as fast, however slow the round.
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 2.0, 2.0))
