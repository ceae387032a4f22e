"""What is timed: every way of running a bundle, at every frame size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stseg_ros.bundle import Geometry
from stseg_ros.measure.candidates import COARSE, TWO_STAGE, WHOLE

# The published procedure, on the pipeline's backend and as it was published, in PyTorch.
REFERENCE, REFERENCE_TORCH = 'reference', 'reference_torch'

# The pipeline's stages, in order; decoding and encoding are the node's.
STAGES = ('preprocess', 'coarse', 'select', 'refine', 'fuse')

SIZES_HW = ((480, 640), (720, 1280), (1080, 1920), (2160, 3840))
# Backends keep networks compiled for so many batch sizes; more would be compiled while timed.
MOST_COUNTS = 8

_COUNTS = (2, 4, 8, 16)
# Several cameras are timed at one size, that of a usual camera.
_CAMERA_HW = (720, 1280)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of running a bundle on frames of one size.

    Attributes:
        size_hw: the frames' size in pixels.
        mode: 'whole', 'coarse', 'two_stage', 'reference' for the published procedure, or
            'reference_torch' for the same in PyTorch.
        regions: regions refined per frame; 0 for 'whole' and 'coarse'.
    """

    size_hw: tuple[int, int]
    mode: str
    regions: int = 0

    @property
    def size(self) -> str:
        """The frames' size as people write it, such as '1280x720'."""
        return size_name(self.size_hw)


def size_name(size_hw: tuple[int, int]) -> str:
    """Write a size as people do.

    Args:
        size_hw: rows and columns.

    Returns:
        Columns first, such as '1280x720'.
    """
    return f'{size_hw[1]}x{size_hw[0]}'


def list_cases(
    sizes_hw: Sequence[tuple[int, int]],
    regions: Sequence[int],
    *,
    whole: bool,
    references: Sequence[str],
) -> list[Case]:
    """List what is timed.

    Args:
        sizes_hw: sizes of the frames.
        regions: numbers of regions to refine, each above 0.
        whole: whether there is a network for the whole frame.
        references: modes of the published procedure that run, too.

    Returns:
        For each size: the whole frame, coarse only, two stages, the references.
    """
    return [
        Case(size_hw=size_hw, mode=mode, regions=count)
        for size_hw in sizes_hw
        for mode, counts in (
            (WHOLE, (0,) if whole else ()),
            (COARSE, (0,)),
            (TWO_STAGE, regions),
            *((mode, regions) for mode in references),
        )
        for count in counts
    ]


def most_regions(geometry: Geometry) -> int:
    """Tell how many regions of a frame can be refined.

    Args:
        geometry: the bundle's sizes.

    Returns:
        All cells of the grid, or the refine network's largest batch where that is less.
    """
    return min(geometry.max_regions, geometry.grid[0] * geometry.grid[1])


def usual_counts(geometry: Geometry, recommended: int) -> list[int]:
    """Choose numbers of regions to time.

    Args:
        geometry: the bundle's sizes.
        recommended: what the bundle runs with.

    Returns:
        2, 4, 8 and 16 as far as there are so many, and the recommended one; ascending.
    """
    most = most_regions(geometry)
    counts = {count for count in (*_COUNTS, recommended) if 0 < count <= most}
    return sorted(counts or {most})


def camera_size(sizes_hw: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Choose the size at which several cameras are timed.

    Args:
        sizes_hw: the sizes that are timed, at least one.

    Returns:
        The one whose number of pixels is nearest to that of 1280x720.
    """
    usual = _CAMERA_HW[0] * _CAMERA_HW[1]
    return min(sizes_hw, key=lambda size_hw: abs(math.log(size_hw[0] * size_hw[1] / usual)))
