"""Size and completeness of JPEG and PNG data, read before any pixel is decoded.

A decoder asked for a forged size allocates it first: a file of 1 kB takes gigabytes and seconds.
Some OpenCV versions return a truncated JPEG half grey without complaint. Both are found here by
walking the file's own structure.
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
# DEFLATE writes at best 258 bytes with two bits.
_DEFLATE_RATIO = 1032
# In Huffman codes a block of 8x8 pixels takes one bit at least.
_JPEG_PIXELS_PER_BYTE = 512
# Baseline, extended, progressive, lossless; what no camera writes begins above.
_JPEG_LAST_USUAL_FRAME = 0xC3
# A progressive image has some ten; each costs the decoder a pass over the whole image.
_JPEG_MOST_SCANS = 100
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_DEPTHS = (1, 2, 4, 8, 16)
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
            tell, or its size is 0, above `MAX_PIXELS`, or more than so few bytes can hold.
    """
    if data.startswith(_PNG_SIGNATURE):
        name, found = 'png', _read_png(data)
    elif data.startswith(_JPEG_SIGNATURE):
        name, found = 'jpeg', _read_jpeg(data)
    else:
        start = data[:8].hex(' ') or 'nothing'
        raise FrameError(f'image data is neither JPEG nor PNG (it starts with {start})')
    height, width = found.size_hw
    if not height or not width:
        raise FrameError(f'{name} image of {width}x{height} has no pixels')
    if height * width > MAX_PIXELS:
        raise FrameError(
            f'{name} image of {width}x{height} is over the limit of '
            f'{MAX_PIXELS // 1_000_000} megapixels'
        )
    if found.least_bytes > found.bytes:
        raise FrameError(
            f'{name} image of {width}x{height} is truncated or forged: its {found.bytes} bytes of '
            f'pixels cannot hold it, expected {found.least_bytes} or more'
        )
    return ImageHeader(format=name, size_hw=found.size_hw)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the walk through a file found.

    Attributes:
        size_hw: rows and columns.
        bytes: how many bytes its compressed pixels take, at most.
        least_bytes: how many so many pixels take at least.
    """

    size_hw: tuple[int, int]
    bytes: int
    least_bytes: int


def _read_png(data: bytes) -> _Found:
    """Walk the chunks of a PNG file to its end.

    Checksums are compared here, because libpng would print a line of its own about a wrong one.
    """
    position = len(_PNG_SIGNATURE)
    header: tuple[int, ...] = ()
    pixel_bytes = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from('>I4s', data, position)
        end = position + 12 + length
        if end > len(data):
            break
        _check_png_chunk(data, position, end, kind)
        if not header:
            if kind != b'IHDR' or length != 13:
                raise FrameError('png image is corrupt: it does not start with a header chunk')
            header = struct.unpack_from('>IIBB', data, position + 8)
        elif kind == b'IHDR':
            raise FrameError('png image is corrupt: it has two header chunks')
        elif kind == b'acTL':
            raise FrameError('png image is animated; publish single images')
        elif kind == b'IDAT':
            pixel_bytes += length
        elif kind == b'IEND':
            width, height, depth, colours = header
            row_bytes = 1 + (width * _png_bits(depth, colours) + 7) // 8
            return _Found(
                size_hw=(height, width),
                bytes=pixel_bytes,
                least_bytes=height * row_bytes // _DEFLATE_RATIO,
            )
        position = end
    raise FrameError(f'png image is truncated: {len(data)} bytes without an end chunk')


def _check_png_chunk(data: bytes, start: int, end: int, kind: bytes) -> None:
    if not kind.isalpha():
        raise FrameError(f'png image is corrupt: no chunk at byte {start}')
    # A decoder may do without the chunks whose names begin with a small letter.
    if not kind[:1].isupper():
        return
    (checksum,) = struct.unpack_from('>I', data, end - 4)
    if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != checksum:
        name = kind.decode('ascii')
        raise FrameError(f'png image is corrupt: the checksum of its {name} data is wrong')


def _png_bits(depth: int, colours: int) -> int:
    """Return the bits of one pixel."""
    if colours not in _PNG_CHANNELS or depth not in _PNG_DEPTHS:
        raise FrameError(
            f'png image is corrupt: there is no pixel of type {colours} and depth {depth}'
        )
    return depth * _PNG_CHANNELS[colours]


def _read_jpeg(data: bytes) -> _Found:
    """Walk the segments of a JPEG file to its end-of-image marker."""
    position = 2
    scans = 0
    found: _Found | None = None
    while position + 4 <= len(data) or data[position : position + 2] == b'\xff\xd9':
        if data[position] != 0xFF:
            raise FrameError(f'jpeg image is corrupt: no marker at byte {position}')
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == _JPEG_END_OF_IMAGE:
            if found is None:
                raise FrameError('jpeg image is corrupt: it ends before its size is given')
            return found
        (length,) = struct.unpack_from('>H', data, position + 2)
        if marker in _JPEG_FRAME_MARKERS and position + 9 <= len(data):
            if found is not None:
                # A decoder takes the first, whatever the second says.
                raise FrameError('jpeg image is corrupt: it gives its size twice')
            found = _read_jpeg_frame(data, position, marker)
        position += 2 + length
        if marker == _JPEG_START_OF_SCAN:
            scans += 1
            position = _end_of_scan(data, position, scans)
    raise _truncated_jpeg(data)


def _read_jpeg_frame(data: bytes, position: int, marker: int) -> _Found:
    if marker > _JPEG_LAST_USUAL_FRAME:
        kind = marker - min(_JPEG_FRAME_MARKERS)
        raise FrameError(f'jpeg image of kind {kind} (SOF{kind}); expected 0 to 3, Huffman coded')
    height, width = struct.unpack_from('>HH', data, position + 5)
    least_bytes = height * width // _JPEG_PIXELS_PER_BYTE
    return _Found(size_hw=(height, width), bytes=len(data), least_bytes=least_bytes)


def _end_of_scan(data: bytes, position: int, scans: int) -> int:
    """Return where the marker after a scan is."""
    if scans > _JPEG_MOST_SCANS:
        raise FrameError(f'jpeg image is forged: it has more than {_JPEG_MOST_SCANS} scans')
    found = _JPEG_SCAN_END.search(data, position)
    if found is None:
        raise _truncated_jpeg(data)
    return found.start()


def _truncated_jpeg(data: bytes) -> FrameError:
    return FrameError(f'jpeg image is truncated: {len(data)} bytes without an end marker')
