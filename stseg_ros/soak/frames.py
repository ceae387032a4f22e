"""The images that the camera of a soak sends: good ones of every kind, and spoiled ones."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from stseg_ros.records import UInt8Array

RAW, COMPRESSED = 'raw', 'compressed'
TRANSPORTS = (RAW, COMPRESSED)

_BYTES_PER_PIXEL = {
    'mono8': 1,
    'bayer_rggb8': 1,
    'nv12': 1,
    'yuv422': 2,
    'bgr8': 3,
    'rgb8': 3,
    'bgra8': 4,
    'rgb16': 6,
}
_ABSURD = 1 << 20
_TO_PIXELS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawContent:
    """What a sensor_msgs/Image holds beside its header.

    Attributes:
        height: rows, as the message says.
        width: columns, as the message says.
        encoding: as the message says.
        step: bytes per row, as the message says.
        data: the pixels.
    """

    height: int
    width: int
    encoding: str
    step: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompressedContent:
    """What a sensor_msgs/CompressedImage holds beside its header.

    Attributes:
        format: as the message says.
        data: a JPEG or PNG file, or what is left of it.
    """

    format: str
    data: bytes


Content = RawContent | CompressedContent


def good_content(size_hw: tuple[int, int], encoding: str) -> Content:
    """Make an image that the node can use.

    Args:
        size_hw: rows and columns, both even.
        encoding: 'jpeg', 'png', or a raw encoding.

    Returns:
        Waves of brightness; in some encodings in odd colours.
    """
    height, width = size_hw
    if encoding in ('jpeg', 'png'):
        waves_hwc = _waves(height, 3 * width).reshape(height, width, 3)
        done, data = cv2.imencode('.jpg' if encoding == 'jpeg' else '.png', waves_hwc)
        assert done
        return CompressedContent(format=f'bgr8; {encoding} compressed bgr8', data=data.tobytes())
    step = width * _BYTES_PER_PIXEL[encoding]
    # After the brightness of nv12 come its colours, half as many rows.
    rows = height * 3 // 2 if encoding == 'nv12' else height
    return RawContent(
        height=height,
        width=width,
        encoding=encoding,
        step=step,
        data=_waves(rows, step).tobytes(),
    )


def fault_names(content: Content) -> tuple[str, ...]:
    """List the ways in which an image can be spoiled, for `spoil`."""
    return tuple(_RAW_FAULTS if isinstance(content, RawContent) else _COMPRESSED_FAULTS)


def spoil(content: Content, fault: str) -> Content:
    """Make an image that the node must refuse.

    Args:
        content: a good image.
        fault: one of `fault_names`.

    Returns:
        The spoiled image.
    """
    if isinstance(content, RawContent):
        return _RAW_FAULTS[fault](content)
    return dataclasses.replace(content, data=_COMPRESSED_FAULTS[fault](content.data))


_RAW_FAULTS: dict[str, Callable[[RawContent], RawContent]] = {
    'truncated': lambda it: dataclasses.replace(it, data=it.data[: len(it.data) // 2]),
    'no data': lambda it: dataclasses.replace(it, data=b''),
    'no rows': lambda it: dataclasses.replace(it, height=0, data=b''),
    'no columns': lambda it: dataclasses.replace(it, width=0),
    'short step': lambda it: dataclasses.replace(it, step=it.step - 1),
    'unknown encoding': lambda it: dataclasses.replace(it, encoding='rgb9'),
    'absurd size': lambda it: dataclasses.replace(
        it, height=_ABSURD, width=_ABSURD, step=_ABSURD * _BYTES_PER_PIXEL[it.encoding]
    ),
}


def _bomb(_: bytes) -> bytes:
    """Make a small PNG file that is complete and says that it has a tera of pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack('>I', zlib.crc32(kind + body))
        return struct.pack('>I', len(body)) + kind + body + checksum

    header = struct.pack('>IIBBBBB', _ABSURD, _ABSURD, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    parts = (chunk(b'IHDR', header), chunk(b'IDAT', pixels), chunk(b'IEND', b''))
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


_COMPRESSED_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    'truncated': lambda data: data[: len(data) // 2],
    'no data': lambda _: b'',
    'no image': lambda data: b'GIF89a' + data[6:],
    # Its markers are gone, or the checksum of its first chunk is wrong.
    'corrupt': lambda data: data[:_TO_PIXELS] + bytes(20) + data[_TO_PIXELS + 20 :],
    'bomb': _bomb,
}


def _waves(rows: int, columns: int) -> UInt8Array:
    down, right = np.arange(rows)[:, None] / 40.0, np.arange(columns)[None] / 120.0
    return (127.5 + 60.0 * np.sin(down) + 60.0 * np.sin(right)).astype(np.uint8)
