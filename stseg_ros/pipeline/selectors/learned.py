"""Cells by the gain that was learned to be expected of them."""

from __future__ import annotations

import numpy as np

from stseg_ros.pipeline.selectors.cell_gain import CellGain, cell_features
from stseg_ros.pipeline.selectors.cells import CellSelector
from stseg_ros.records import CoarseResult, RegionSelection, UInt8Array

# Shares of a cell's pixels: what is worth refining, and by how much more confidence falls.
_WORTH = 0.002
_STEP = 0.02
_NOT_WORTH = 0.5


class LearnedSelector(CellSelector):
    """Cells of a regular grid, highest predicted gain first.

    A cell's confidence is 1 / (1 + exp((gain - 0.002) / 0.02)). Cells that are not expected to
    gain 0.2 % of their pixels, whose confidence is 0.5 or more, are never chosen: easy frames
    cost nothing.
    """

    varies = True

    def __init__(
        self, *, grid: tuple[int, int], working_hw: tuple[int, int], gain: CellGain
    ) -> None:
        """Lay out the grid.

        Args:
            grid: rows and columns of cells; both divide the working size.
            working_hw: the working size in pixels.
            gain: predicts gains.
        """
        super().__init__(grid=grid, working_hw=working_hw)
        self._gain = gain

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """See `RegionSelector.select`."""
        return super().select(coarse, regions=regions, refine_below=min(refine_below, _NOT_WORTH))

    def confidence(self, logit_bytes_hw: UInt8Array) -> list[float]:
        """See `CellSelector.confidence`."""
        gains = self._gain.predict(cell_features(logit_bytes_hw, self._grid))
        # Beyond 30 steps exp needs not be told apart.
        steps = np.clip((gains - _WORTH) / _STEP, -30.0, 30.0)
        confidence: list[float] = (1.0 / (1.0 + np.exp(steps))).tolist()
        return confidence
