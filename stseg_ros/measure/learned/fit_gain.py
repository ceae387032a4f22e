"""The weights of selector 'learned': ridge regression of what refining a cell gained."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stseg_ros.pipeline.selectors.cell_gain import FEATURES, CellGain

Float64Array = npt.NDArray[np.float64]

# As much as the spread of a feature: many of them say nearly the same, and images are few.
_STRENGTH = 1.0


def fit_gain(features: Float64Array, gains: Float64Array) -> CellGain:
    """Fit a linear prediction, by squared error.

    Args:
        features: (cells, features) float64, see `cell_gain.cell_features`; at least one cell.
        gains: (cells,) float64, the share of each cell's pixels that refinement set right, less
            those that it set wrong.

    Returns:
        The prediction; equal arguments give equal weights.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0.0, spread, 1.0)
    standard = (features - mean) / scale
    curvature = standard.T @ standard / len(standard) + _STRENGTH * np.eye(len(mean))
    slope = standard.T @ (gains - gains.mean()) / len(standard)
    weights = np.linalg.solve(curvature, slope) / scale
    return CellGain(
        weights=dict(zip(FEATURES, (float(weight) for weight in weights), strict=True)),
        bias=float(gains.mean() - weights @ mean),
    )
