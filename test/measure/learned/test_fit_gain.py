"""Tests of fitting what a cell gains."""

from __future__ import annotations

import numpy as np

from stseg_ros.measure.learned.fit_gain import fit_gain
from stseg_ros.pipeline.selectors.cell_gain import FEATURES

COUNT = len(FEATURES)


def test_it_is_least_squares_held_back() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((300, COUNT)) * rng.uniform(0.1, 4.0, COUNT)
    gains = features @ rng.normal(0.0, 0.1, COUNT) + rng.normal(0.0, 0.01, 300)
    # As ordinary least squares: one more row for each weight, of the root of the rows.
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    rows = np.concatenate([standard, np.sqrt(300.0) * np.eye(COUNT)])
    wanted = np.concatenate([gains - gains.mean(), np.zeros(COUNT)])
    expected = standard @ np.linalg.lstsq(rows, wanted, rcond=None)[0] + gains.mean()
    np.testing.assert_allclose(fit_gain(features, gains).predict(features), expected)


def test_a_feature_that_never_changes_gets_no_say() -> None:
    features = np.random.default_rng(1).random((50, COUNT))
    features[:, 3] = 0.25
    fitted = fit_gain(features, features[:, 0] * 0.1)
    assert fitted.weights[FEATURES[3]] == 0.0
    assert fitted.weights[FEATURES[0]] > 0.01


def test_cells_that_all_gain_alike() -> None:
    features = np.random.default_rng(2).random((50, COUNT))
    np.testing.assert_allclose(fit_gain(features, np.full(50, 0.1)).predict(features), 0.1)
