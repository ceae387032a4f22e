"""The text files beside KITTI's raw images: camera calibration and timestamps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stseg_ros.errors import DataError

CALIBRATION_FILE = 'calib_cam_to_cam.txt'
_STAMP = re.compile(r'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))?')


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCalibration:
    """A rectified camera.

    Attributes:
        size_hw: rows and columns of the rectified image.
        projection_3x4: row by row, from the rectified frame of the reference camera to pixels.
    """

    size_hw: tuple[int, int]
    projection_3x4: tuple[float, ...]


def read_kitti_calibration(path: Path, camera: str) -> CameraCalibration:
    """Read the rectified size and projection of one camera.

    Args:
        path: a `calib_cam_to_cam.txt`.
        camera: two digits, '02' is the left colour camera.

    Returns:
        The calibration. The projection keeps KITTI's fourth column, the shift against camera 00,
        which is also what CameraInfo asks for of a stereo pair.

    Raises:
        DataError: the file cannot be read, or an entry is missing or malformed.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: cannot be read: {error}') from error
    entries = dict(line.split(':', 1) for line in lines if ':' in line)
    width, height = _numbers(path, entries, f'S_rect_{camera}', 2)
    return CameraCalibration(
        size_hw=(round(height), round(width)),
        projection_3x4=_numbers(path, entries, f'P_rect_{camera}', 12),
    )


def read_kitti_stamps(path: Path, images: Iterable[Path]) -> tuple[int, ...]:
    """Read the recorded time of each image; KITTI names an image by its line, from 0.

    Args:
        path: a `timestamps.txt` with lines such as '2011-09-26 13:02:25.964389445'.
        images: the image files, in order; some lines may have none.

    Returns:
        A time for each image, ns since the epoch (the text is taken as UTC), increasing.

    Raises:
        DataError: the file cannot be read, a line is no time, an image has no line, or the times
            do not increase.
    """
    lines_ns = _read_lines_ns(path)
    stamps_ns: list[int] = []
    for image in images:
        if not image.stem.isdecimal() or int(image.stem) >= len(lines_ns):
            raise DataError(
                f'{path}: has {len(lines_ns)} times, but none for {image.name}; '
                'mend it, or give --rate to do without'
            )
        stamps_ns.append(lines_ns[int(image.stem)])
        if len(stamps_ns) > 1 and stamps_ns[-1] <= stamps_ns[-2]:
            raise DataError(
                f'{path}: the time of {image.name} is not later than that of the image before; '
                'mend it, or give --rate to do without'
            )
    return tuple(stamps_ns)


def _read_lines_ns(path: Path) -> list[int]:
    """Read every line of a timestamps file."""
    try:
        lines = path.read_text(encoding='utf-8').rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: cannot be read: {error}') from error
    stamps_ns = []
    for number, line in enumerate(lines, start=1):
        matched = _STAMP.fullmatch(line.strip())
        try:
            if matched is None:
                raise ValueError(line)
            second = datetime.strptime(f'{matched[1]}+0000', '%Y-%m-%d %H:%M:%S%z')
        except ValueError as error:
            raise DataError(
                f'{path}: line {number} is {line!r}, expected a time such as '
                '2011-09-26 13:02:25.964389445'
            ) from error
        seconds = int(second.timestamp())
        # datetime stops at microseconds, the file does not.
        stamps_ns.append(seconds * 1_000_000_000 + int((matched[2] or '').ljust(9, '0')))
    return stamps_ns


def _numbers(path: Path, entries: dict[str, str], key: str, count: int) -> tuple[float, ...]:
    if key not in entries:
        raise DataError(f'{path}: has no entry {key}; expected KITTI camera calibration')
    try:
        numbers = tuple(float(word) for word in entries[key].split())
    except ValueError as error:
        raise DataError(f'{path}: {key}: {error}') from error
    if len(numbers) != count:
        raise DataError(f'{path}: {key} has {len(numbers)} numbers, expected {count}')
    return numbers
