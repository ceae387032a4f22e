"""What every choice of regions keeps to."""

from __future__ import annotations

from typing import Protocol

from stseg_ros.records import CoarseResult, RegionSelection


class RegionSelector(Protocol):
    """Chooses regions from what the coarse network says.

    A selector belongs to one camera: it may remember the frame before.

    Attributes:
        varies: whether it may choose fewer regions than it was allowed, also with nothing said
            of their confidence.
    """

    varies: bool

    def select(
        self, coarse: CoarseResult, *, regions: int, refine_below: float
    ) -> RegionSelection:
        """Choose the regions to refine.

        Args:
            coarse: the coarse network's logits of the whole frame.
            regions: the most regions to choose; 0 chooses none.
            refine_below: only regions whose confidence is below this are chosen; 1 sets no bound.

        Returns:
            At most `regions` regions of the refine network's size inside the working image, least
            confident first. No two overlap, so that no pixel is merged twice.
        """
        ...
