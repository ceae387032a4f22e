"""Size and completeness of JPEG and PNG data, read before any pixel is decoded.

A decoder asked for a forged size allocates it first, and some OpenCV versions return a truncated
JPEG half grey without complaint. Both are found here by walking the file's own structure.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from stseg_ros.errors import FrameError

MAX_PIXELS = 100_000_000
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_JPEG_SIGNATURE = b'\xff\xd8\xff'
# 0xC4, 0xC8 and 0xCC lie in the range of the start-of-frame markers but are tables.
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_START_OF_SCAN = 0xDA
_JPEG_END_OF_IMAGE = 0xD9
# Inside a scan, 0xFF is stuffed with 0x00 or starts a restart marker; anything else ends the scan.
_JPEG_SCAN_END = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What a complete JPEG or PNG file says of itself.

    Attributes:
        format: 'jpeg' or 'png'.
        size_hw: rows and columns in pixels, as stored.
    """

    format: str
    size_hw: tuple[int, int]


def is_jpeg_or_png(data: bytes) -> bool:
    """Tell by its first bytes whether `read_image_header` is for a file's data."""
    return data.startswith((_PNG_SIGNATURE, _JPEG_SIGNATURE))


def read_image_header(data: bytes) -> ImageHeader:
    """Read the size of a JPEG or PNG image and check that its data is complete.

    Args:
        data: the whole file.

    Returns:
        Format and size.

    Raises:
        FrameError: the data is neither JPEG nor PNG, is truncated, or corrupt as far as checksums
            tell, or its size is 0 or above `MAX_PIXELS`.
    """
    if data.startswith(_PNG_SIGNATURE):
        header = ImageHeader(format='png', size_hw=_png_size(data))
    elif data.startswith(_JPEG_SIGNATURE):
        header = ImageHeader(format='jpeg', size_hw=_jpeg_size(data))
    else:
        start = data[:8].hex(' ') or 'nothing'
        raise FrameError(f'image data is neither JPEG nor PNG (it starts with {start})')
    height, width = header.size_hw
    if not height or not width:
        raise FrameError(f'{header.format} image of {width}x{height} has no pixels')
    if height * width > MAX_PIXELS:
        raise FrameError(
            f'{header.format} image of {width}x{height} is over the limit of '
            f'{MAX_PIXELS // 1_000_000} megapixels'
        )
    return header


def _png_size(data: bytes) -> tuple[int, int]:
    """Walk the chunks of a PNG file to its end.

    Checksums are compared here, because libpng would print a line of its own about a wrong one.
    """
    view = memoryview(data)
    position = len(_PNG_SIGNATURE)
    size_hw: tuple[int, int] | None = None
    while position + 8 <= len(data):
        length, kind = struct.unpack_from('>I4s', data, position)
        end = position + 12 + length
        if end > len(data):
            break
        # A decoder may do without the chunks whose names begin with a small letter.
        if kind[:1].isupper():
            (checksum,) = struct.unpack_from('>I', data, end - 4)
            if zlib.crc32(view[position + 4 : end - 4]) != checksum:
                name = kind.decode('ascii', 'replace')
                raise FrameError(f'png image is corrupt: the checksum of its {name} data is wrong')
        if size_hw is None:
            if kind != b'IHDR' or length != 13:
                raise FrameError('png image is corrupt: it does not start with a header chunk')
            width, height = struct.unpack_from('>II', data, position + 8)
            size_hw = (height, width)
        if kind == b'IEND' and size_hw is not None:
            return size_hw
        position = end
    raise FrameError(f'png image is truncated: {len(data)} bytes without an end chunk')


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walk the segments of a JPEG file to its end-of-image marker."""
    position = 2
    size_hw: tuple[int, int] | None = None
    while position + 4 <= len(data) or data[position : position + 2] == b'\xff\xd9':
        if data[position] != 0xFF:
            raise FrameError(f'jpeg image is corrupt: no marker at byte {position}')
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == _JPEG_END_OF_IMAGE:
            if size_hw is None:
                raise FrameError('jpeg image is corrupt: it ends before its size is given')
            return size_hw
        (length,) = struct.unpack_from('>H', data, position + 2)
        if marker in _JPEG_FRAME_MARKERS and position + 9 <= len(data):
            size_hw = struct.unpack_from('>HH', data, position + 5)
        position += 2 + length
        if marker == _JPEG_START_OF_SCAN:
            scan_end = _JPEG_SCAN_END.search(data, position)
            if scan_end is None:
                break
            position = scan_end.start()
    raise FrameError(f'jpeg image is truncated: {len(data)} bytes without an end marker')
