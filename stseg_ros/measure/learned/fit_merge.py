"""A merge table from counts of labels: logistic regression, rising in both logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO
from stseg_ros.pipeline.merge_table import LEVELS, MergeTable

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

FEATURES = ('coarse', 'refined', 'lower', 'higher')
# Pulls the weights to those of half the sum, which few pixels then cannot leave.
_PRIOR = np.array([0.5, 0.5, 0.0, 0.0, 0.0])
_STRENGTH = 1e-3
_MOST_STEPS = 50
_MOST_SWEEPS = 10_000
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedMerge:
    """A table and what it is made of.

    Attributes:
        table: the table.
        weights: of each of `FEATURES`, logits; none is below 0.
        bias: logits added.
    """

    table: MergeTable
    weights: tuple[float, ...]
    bias: float


def fit_merge(counts: Float64Array) -> FittedMerge:
    """Fit a merge to labels, by log loss.

    The logit of a pixel is a weighted sum of its coarse logit, its refined logit, the lower and
    the higher of them. No weight is below 0, so that it rises in both.

    Args:
        counts: (2, 256, 256) float64, how many background and vehicle pixels have each coarse and
            each refined byte; of any unit, not all 0.

    Returns:
        The fit; equal counts give equal fits.
    """
    coarse, refined = np.meshgrid(_logits(), _logits(), indexing='ij')
    features = np.stack(
        [coarse, refined, np.minimum(coarse, refined), np.maximum(coarse, refined)], axis=-1
    ).reshape(-1, len(FEATURES))
    features = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    background, vehicle = counts.reshape(2, -1) / counts.sum()
    seen = background + vehicle > 0
    solution = _descend(features[seen], background[seen], vehicle[seen])
    logits = (features @ solution).reshape(LEVELS, LEVELS)
    table = np.rint(ZERO + STEPS_PER_LOGIT * logits).clip(0, 255).astype(np.uint8)
    *weights, bias = (float(one) for one in solution)
    return FittedMerge(table=MergeTable(table), weights=tuple(weights), bias=bias)


def region_dice(counts: Int64Array, table: MergeTable | None) -> float:
    """Compute the Dice of merged pixels.

    Args:
        counts: (2, 256, 256) int64 as in `fit_merge`, of pixels.
        table: the merge; None for 'add'.

    Returns:
        Dice at a probability of 0.5, 0 to 1; 1 without vehicles found or there.
    """
    if table is None:
        coarse, refined = np.meshgrid(_logits(), _logits(), indexing='ij')
        found = coarse + refined > 0.0
    else:
        found = table.bytes_cr > ZERO
    background, vehicle = counts
    right, wrong = vehicle[found].sum(), background[found].sum()
    there = right + wrong + vehicle.sum()
    return float(2.0 * right / there) if there else 1.0


def _logits() -> Float64Array:
    return np.asarray((np.arange(LEVELS) - ZERO) / STEPS_PER_LOGIT, np.float64)


def _descend(
    features: Float64Array, background: Float64Array, vehicle: Float64Array
) -> Float64Array:
    """Minimise the log loss by Newton's method, with no weight but the bias below 0."""
    weights = _PRIOR.copy()
    pixels = background + vehicle
    for _ in range(_MOST_STEPS):
        chance = 1.0 / (1.0 + np.exp(-features @ weights))
        gradient = features.T @ (pixels * chance - vehicle) + _STRENGTH * (weights - _PRIOR)
        curvature = (features * (pixels * chance * (1.0 - chance))[:, None]).T @ features
        curvature += _STRENGTH * np.eye(len(weights))
        after = _lowest_of_parabola(weights, gradient, curvature)
        if np.abs(after - weights).max() < _TOLERANCE:
            break
        weights = after
    return weights


def _lowest_of_parabola(
    start: Float64Array, gradient: Float64Array, curvature: Float64Array
) -> Float64Array:
    """Minimise a parabola, one weight after the other, with none but the last below 0."""
    weights = start.copy()
    for _ in range(_MOST_SWEEPS):
        before = weights.copy()
        for index in range(len(weights)):
            slope = gradient[index] + curvature[index] @ (weights - start)
            weights[index] -= slope / curvature[index, index]
            if index < len(weights) - 1:
                weights[index] = max(weights[index], 0.0)
        if np.abs(weights - before).max() < _TOLERANCE:
            break
    return weights
