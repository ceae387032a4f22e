"""Tests of what is known of a cell, pixel by pixel, and of the file of weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from stseg_ros.errors import BundleError
from stseg_ros.logit_bytes import to_bytes
from stseg_ros.pipeline.selectors.cell_gain import FEATURES, CellGain, cell_features

GRID = (3, 4)


def coarse_logits(seed: int) -> np.ndarray:
    """Draw logits that bytes hold exactly."""
    return np.random.default_rng(seed).integers(-120, 120, (12, 20)).astype(np.float32) / 16.0


def chance(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


def pixels(row: int, column: int) -> list[tuple[int, int]]:
    """List a cell's pixels; a cell is 4 rows by 5 columns."""
    return [(y, x) for y in range(row * 4, row * 4 + 4) for x in range(column * 5, column * 5 + 5)]


def mean(logits_hw: np.ndarray, row: int, column: int, of: object) -> float:
    assert callable(of)
    return float(np.mean([of(chance(logits_hw[at])) for at in pixels(row, column)]))


def margin(p: float) -> float:
    return 1.0 - abs(2.0 * p - 1.0)


def entropy(p: float) -> float:
    return -p * math.log2(p) - (1.0 - p) * math.log2(1.0 - p)


def around(logits_hw: np.ndarray, row: int, column: int, of: object) -> float:
    """Average over the three by three cells around, the outer ones repeated."""
    return float(
        np.mean(
            [
                mean(logits_hw, min(max(r, 0), 2), min(max(c, 0), 3), of)
                for r in (row - 1, row, row + 1)
                for c in (column - 1, column, column + 1)
            ]
        )
    )


def on_outline(logits_hw: np.ndarray, y: int, x: int) -> bool:
    """Say whether a neighbour has the other label."""
    height, width = logits_hw.shape
    near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    inside = [(a, b) for a, b in near if 0 <= a < height and 0 <= b < width]
    return any((logits_hw[at] > 0) != (logits_hw[y, x] > 0) for at in inside)


@pytest.mark.parametrize('seed', range(3))
def test_features_are_those_of_the_pixels(seed: int) -> None:
    logits_hw = coarse_logits(seed)
    features = cell_features(to_bytes(logits_hw), GRID)
    assert features.shape == (12, len(FEATURES))
    for index in range(12):
        row, column = divmod(index, 4)
        p = mean(logits_hw, row, column, float)
        expected = {
            'probability': p,
            'balance': 1.0 - abs(2.0 * p - 1.0),
            'margin': mean(logits_hw, row, column, margin),
            'entropy': mean(logits_hw, row, column, entropy),
            'outline': np.mean([on_outline(logits_hw, y, x) for y, x in pixels(row, column)]),
            'highest': max(128 + 16 * logits_hw[at] for at in pixels(row, column)) / 255,
            'around_probability': around(logits_hw, row, column, float),
            'around_margin': around(logits_hw, row, column, margin),
            'row': row / 2,
            'from_middle': abs(2 * column / 3 - 1),
        }
        assert tuple(expected) == FEATURES
        np.testing.assert_allclose(features[index], list(expected.values()), atol=1e-5)


def test_a_grid_of_one_cell_has_features() -> None:
    assert np.isfinite(cell_features(to_bytes(coarse_logits(0)), (1, 1))).all()


def test_a_prediction_is_a_weighted_sum() -> None:
    weights = {name: 0.5 * place for place, name in enumerate(FEATURES)}
    features = np.random.default_rng(0).random((5, len(FEATURES)))
    expected = [sum(0.5 * place * one for place, one in enumerate(row)) - 2 for row in features]
    predicted = CellGain(weights=weights, bias=-2.0).predict(features)
    np.testing.assert_allclose(predicted, expected)


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    learned = CellGain(weights={name: len(name) / 7 for name in FEATURES}, bias=-1 / 3)
    learned.write(tmp_path / 'selector.yaml')
    assert CellGain.read(tmp_path / 'selector.yaml') == learned


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('bias: 1.0', "key 'weights' is missing"),
        ('weights: {probability: 1.0}\nbias: 0.0', 'expected one for each of probability, '),
        ('weights: 3\nbias: 0.0', 'weights: expected a mapping'),
        ('- 1', 'expected a mapping of names to values'),
        ('{', 'is not valid YAML'),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'selector.yaml'
    path.write_text(text)
    with pytest.raises(BundleError) as caught:
        CellGain.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)
