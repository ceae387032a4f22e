"""Image and label files into arrays; what cannot be right is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.datasets.pairing import name_some
from stseg_ros.errors import DataError
from stseg_ros.records import UInt8Array

BACKGROUND, VEHICLE, IGNORE = 0, 1, 255
_UNKNOWN = 254

# What the last bytes of a whole file hold; some writers put a little after it.
_END_MARKS = {'.jpg': b'\xff\xd9', '.jpeg': b'\xff\xd9', '.png': b'IEND'}
_END_LENGTH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelIds:
    """What the values of a label image mean.

    Attributes:
        vehicle: values that count as vehicle.
        ignore: values that are left out of loss and scores.
        background: all other values that may occur; None allows any.
    """

    vehicle: tuple[int, ...]
    ignore: tuple[int, ...] = ()
    background: tuple[int, ...] | None = None


def read_image(path: Path) -> UInt8Array:
    """Read a colour image.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: it cannot be read, is cut short or is not 8-bit.
    """
    return np.asarray(cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_vehicle_mask(path: Path, ids: LabelIds) -> UInt8Array:
    """Read a label image as background, vehicle and ignore.

    Args:
        path: the file; grey, or colour with equal channels.
        ids: what its values mean.

    Returns:
        (H, W) uint8 of 0, 1 and 255.

    Raises:
        DataError: it cannot be read, is a colour map, or has values that mean nothing.
    """
    label_hw = _read(path, cv2.IMREAD_UNCHANGED)
    if label_hw.ndim == 3:
        label_hw = _one_channel(label_hw, path)
    found = np.flatnonzero(np.bincount(label_hw.ravel(), minlength=256))
    table = _meanings(ids)
    unknown = [str(value) for value in found if table[value] == _UNKNOWN]
    if unknown:
        raise DataError(
            f'{path} has values that are no label ids of this data set: {name_some(unknown)}; '
            'give the id maps, not colour or instance maps'
        )
    return np.asarray(table[label_hw], np.uint8)


def _meanings(ids: LabelIds) -> UInt8Array:
    table = np.full(256, BACKGROUND if ids.background is None else _UNKNOWN, np.uint8)
    table[list(ids.background or ())] = BACKGROUND
    table[list(ids.vehicle)] = VEHICLE
    table[list(ids.ignore)] = IGNORE
    return table


def _one_channel(label_hwc: UInt8Array, path: Path) -> UInt8Array:
    first_hw = np.ascontiguousarray(label_hwc[..., 0])
    if not all(np.array_equal(first_hw, label_hwc[..., channel]) for channel in (1, 2)):
        raise DataError(
            f'{path} is a colour picture ({label_hwc.shape[2]} channels); a label is a '
            'single-channel image of ids: give the id maps, not the colour maps'
        )
    return first_hw


def _read(path: Path, flags: int) -> UInt8Array:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from error
    # OpenCV fills the missing rest of a cut file with grey and says nothing to its caller.
    whole = _END_MARKS.get(path.suffix.lower(), b'') in content[-_END_LENGTH:]
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if whole and content else None
    if image is None:
        raise DataError(
            f'{path} cannot be read as an image ({len(content)} bytes); the file may be '
            'incomplete, get it anew'
        )
    if image.dtype != np.uint8:
        raise DataError(f'{path} has {image.dtype} values; 8-bit images are expected')
    return np.asarray(image, np.uint8)
