"""The selectors by the names that settings use."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from stseg_ros.bundle import Geometry
from stseg_ros.config import LEARNED
from stseg_ros.pipeline.selectors.boundary import BoundarySelector
from stseg_ros.pipeline.selectors.cell_gain import CellGain
from stseg_ros.pipeline.selectors.components import ComponentSelector
from stseg_ros.pipeline.selectors.grid import GridSelector
from stseg_ros.pipeline.selectors.learned import LearnedSelector
from stseg_ros.pipeline.selectors.region_selector import RegionSelector
from stseg_ros.pipeline.selectors.sliding import SlidingSelector
from stseg_ros.pipeline.selectors.uncertainty import MarginSelector


class SelectorClass(Protocol):
    """Makes a selector of a bundle's sizes."""

    def __call__(self, *, grid: tuple[int, int], working_hw: tuple[int, int]) -> RegionSelector:
        """See `stseg_ros.bundle.Geometry` for the sizes."""
        ...


# Those that need nothing else; 'learned' needs what the bundle has learned.
SELECTORS: dict[str, SelectorClass] = {
    'grid': GridSelector,
    'margin': MarginSelector,
    'boundary': BoundarySelector,
    'sliding': SlidingSelector,
    'components': ComponentSelector,
    'components_first': partial(ComponentSelector, fill=True),
}


def make_selector(name: str, geometry: Geometry, gain: CellGain | None = None) -> RegionSelector:
    """Make a selector for one camera.

    Args:
        name: one of `stseg_ros.config.SELECTORS`.
        geometry: the bundle's sizes.
        gain: predicts gains for 'learned'.

    Returns:
        The selector.
    """
    if name == LEARNED:
        assert gain is not None
        return LearnedSelector(grid=geometry.grid, working_hw=geometry.working_hw, gain=gain)
    return SELECTORS[name](grid=geometry.grid, working_hw=geometry.working_hw)
