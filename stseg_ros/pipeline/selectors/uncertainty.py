"""Cells by the mean doubt of their pixels."""

from __future__ import annotations

from stseg_ros.pipeline.selectors.cells import CellSelector
from stseg_ros.pipeline.selectors.doubt import entropy_doubt, margin_doubt
from stseg_ros.records import UInt8Array


class MarginSelector(CellSelector):
    """Cells of a regular grid, highest mean of 1 - 2 |p - 0.5| first.

    Cruz et al., Two-Stage Framework for Faster Semantic Segmentation, Sensors 2023: pixels are
    scored first and then averaged. The mean of the probabilities, the first paper's criterion,
    takes a cell that is half surely vehicle and half surely not for the most doubtful of all.
    """

    def confidence(self, logit_bytes_hw: UInt8Array) -> list[float]:
        """See `CellSelector.confidence`."""
        return [1.0 - doubt for doubt in self.cell_means(margin_doubt(logit_bytes_hw))]


class EntropySelector(CellSelector):
    """Cells of a regular grid, highest mean entropy of the pixels' labels first."""

    def confidence(self, logit_bytes_hw: UInt8Array) -> list[float]:
        """See `CellSelector.confidence`."""
        return [1.0 - doubt for doubt in self.cell_means(entropy_doubt(logit_bytes_hw))]
