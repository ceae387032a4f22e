"""The numbers that `stseg benchmark` is given, checked before anything that takes minutes."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from stseg_ros.errors import ConfigError

if TYPE_CHECKING:
    from stseg_ros.bundle import Geometry, ModelBundle

SIZES = '640x480,1280x720,1920x1080,3840x2160'
REPEATS, FRAMES = 30, 4
CAMERAS = '1,2,3,4'
QUICK_REPEATS, QUICK_FRAMES = 3, 2
_MOST_REPEATS, _MOST_FRAMES, _MOST_CAMERAS = 1000, 100, 16


def read_sizes(text: str) -> list[tuple[int, int]]:
    """Read frame sizes.

    Args:
        text: such as `1280x720,1920x1080`.

    Returns:
        Height and width of each, in the order given.

    Raises:
        ConfigError: it is something else.
    """
    from stseg_ros.pipeline.preprocess import (
        LARGEST_PIXELS,
        LONGEST_PER_SHORTEST,
        SMALLEST_SIDE,
    )

    sizes_hw = []
    for word in text.split(','):
        match = re.fullmatch(r'\s*(\d+)x(\d+)\s*', word)
        if match is None:
            raise ConfigError(f"--sizes is '{text}'; give sizes such as 1280x720,1920x1080")
        width, height = int(match[1]), int(match[2])
        if min(width, height) < SMALLEST_SIDE or width * height > LARGEST_PIXELS:
            raise ConfigError(
                f'--sizes has {width}x{height}; give {SMALLEST_SIDE}x{SMALLEST_SIDE} to '
                f'{LARGEST_PIXELS // 1_000_000} megapixels'
            )
        if max(width, height) > LONGEST_PER_SHORTEST * min(width, height):
            raise ConfigError(
                f'--sizes has {width}x{height}; the longer side may be at most '
                f'{LONGEST_PER_SHORTEST} times the shorter'
            )
        sizes_hw.append((height, width))
    return list(dict.fromkeys(sizes_hw))


def read_repeats(arguments: argparse.Namespace) -> int:
    """Read the number of rounds.

    Args:
        arguments: `repeats`, None for the usual number, and `quick`.

    Returns:
        Rounds, 2 or more.

    Raises:
        ConfigError: it is something else.
    """
    repeats = arguments.repeats
    if repeats is None:
        return QUICK_REPEATS if arguments.quick else REPEATS
    # From one round no interval can be told.
    if not 2 <= repeats <= _MOST_REPEATS:
        raise ConfigError(f'--repeats is {repeats}; give 2 to {_MOST_REPEATS}')
    return int(repeats)


def read_frames(arguments: argparse.Namespace) -> int:
    """Read the number of pictures.

    Args:
        arguments: `frames`, None for the usual number, and `quick`.

    Returns:
        Pictures, 1 or more.

    Raises:
        ConfigError: it is something else.
    """
    frames = arguments.frames
    if frames is None:
        return QUICK_FRAMES if arguments.quick else FRAMES
    if not 1 <= frames <= _MOST_FRAMES:
        raise ConfigError(f'--frames is {frames}; give 1 to {_MOST_FRAMES}')
    return int(frames)


def read_cameras(text: str) -> list[int]:
    """Read the numbers of cameras.

    Args:
        text: whole numbers, such as `1,2,4`; 0 for none.

    Returns:
        The numbers above 0, ascending.

    Raises:
        ConfigError: it is something else.
    """
    try:
        counts = sorted({int(word) for word in text.split(',')})
    except ValueError as err:
        raise ConfigError(f"--cameras is '{text}'; give whole numbers, such as 1,2,4") from err
    if not 0 <= counts[0] <= counts[-1] <= _MOST_CAMERAS:
        raise ConfigError(
            f"--cameras is '{text}'; give numbers from 1 to {_MOST_CAMERAS}, or 0 for none"
        )
    return [count for count in counts if count]


def read_regions(text: str | None, bundle: ModelBundle, usual: int) -> list[int]:
    """Read the numbers of regions.

    Args:
        text: whole numbers, such as `0,4,8`; None for the usual ones.
        bundle: refines so many at most.
        usual: what its settings refine.

    Returns:
        The numbers above 0, ascending.

    Raises:
        ConfigError: it is something else, or more than the bundle refines.
    """
    from stseg_ros.measure.benchmark.cases import MOST_COUNTS, most_regions, usual_counts

    geometry: Geometry = bundle.geometry
    if text is None:
        return usual_counts(geometry, usual)
    most = most_regions(geometry)
    try:
        regions = sorted({int(word) for word in text.split(',')})
    except ValueError as err:
        raise ConfigError(f"--regions is '{text}'; give whole numbers, such as 0,4,8") from err
    if not 0 <= regions[0] <= regions[-1] <= most:
        raise ConfigError(
            f"--regions is '{text}'; give numbers from 0 (coarse only) to {most}, the most that "
            f'{bundle.name} refines'
        )
    regions = [count for count in regions if count]
    if len(regions) > MOST_COUNTS:
        raise ConfigError(f"--regions is '{text}'; give at most {MOST_COUNTS} numbers above 0")
    return regions
