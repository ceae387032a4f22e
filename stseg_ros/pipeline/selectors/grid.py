"""The paper's criterion."""

from __future__ import annotations

from stseg_ros.logit_bytes import probability
from stseg_ros.pipeline.selectors.cells import CellSelector
from stseg_ros.records import UInt8Array


class GridSelector(CellSelector):
    """Cells of a regular grid, lowest |mean probability - 0.5| first.

    Teixeira e Silva et al., ICMV 2022. A cell's confidence here is 2 |mean - 0.5|, which orders
    cells alike and runs from 0 to 1.

    Paper: the mean is taken over the upsampled map; here it is taken over the coarse map itself,
    the same samples before interpolation, at 1/64 of the work.
    """

    def confidence(self, logit_bytes_hw: UInt8Array) -> list[float]:
        """See `CellSelector.confidence`."""
        means = self.cell_means(probability(logit_bytes_hw))
        return [abs(2.0 * mean - 1.0) for mean in means]
