"""The ways of running a bundle that are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from stseg_ros.bundle import Geometry
from stseg_ros.config import SegmenterSettings

WHOLE, COARSE, TWO_STAGE = 'whole', 'coarse', 'two_stage'


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way of running a bundle.

    Attributes:
        mode: 'whole' runs the baseline, 'coarse' stage 1 alone, 'two_stage' both.
        settings: regions, threshold and fusion; regions are 0 but for 'two_stage'.
    """

    mode: str
    settings: SegmenterSettings


def list_candidates(
    settings: SegmenterSettings, regions: Sequence[int], *, whole: bool
) -> list[Candidate]:
    """List the modes of a bundle: the baseline, coarse only, two stages.

    Args:
        settings: gives fusion and threshold.
        regions: numbers of regions to refine, each above 0.
        whole: whether the bundle has a whole-frame baseline.

    Returns:
        At least the coarse one.
    """
    alone = dataclasses.replace(settings, regions=0)
    baseline = [Candidate(mode=WHOLE, settings=alone)] if whole else []
    return [
        *baseline,
        Candidate(mode=COARSE, settings=alone),
        *(
            Candidate(mode=TWO_STAGE, settings=dataclasses.replace(settings, regions=count))
            for count in regions
        ),
    ]


def default_regions(geometry: Geometry) -> list[int]:
    """Choose numbers of regions to compare: 2, 4, 8, ... up to all that can be refined.

    Args:
        geometry: the bundle's sizes.

    Returns:
        Ascending; a grid of a single region gives 1.
    """
    most = min(geometry.max_regions, geometry.grid[0] * geometry.grid[1])
    powers = [2**power for power in range(1, most.bit_length()) if 2**power < most]
    return [*powers, most]
