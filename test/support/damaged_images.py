"""Image files and messages, damaged in the ways of broken links, drivers and attackers."""

from __future__ import annotations

import array
import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
from support.image_messages import compressed, image

from stseg_ros.sources.raw_encodings import SUPPORTED_ENCODINGS

ENCODINGS = (*sorted(SUPPORTED_ENCODINGS), 'RGB8', '32FC1', 'two\nlines', '', 'long' * 999)
ABSURD = (0, 1, 2, 3, 7, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_MAX_DATA = 6000


def repair_checksums(data: bytes) -> bytes:
    """Give every chunk of a PNG file the right checksum: damage gets past the first look then."""
    repaired = bytearray(data)
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from('>I', data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into('>I', repaired, end, zlib.crc32(data[position + 4 : end]))
        position = end + 4
    return bytes(repaired)


def palette_png() -> bytes:
    """Make a PNG file of 2-bit indices into a palette, which OpenCV does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack('>I', len(body)) + kind + body + bytes(4)

    header = struct.pack('>IIBBBBB', 16, 8, 2, 3, 0, 0, 0)
    colours = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    rows = b''.join(b'\0' + bytes([27, 228, row, 255 - row]) for row in range(8))
    parts = (
        chunk(b'IHDR', header),
        chunk(b'PLTE', colours),
        chunk(b'tRNS', b'\x10\xff'),
        chunk(b'IDAT', zlib.compress(rows)),
        chunk(b'IEND', b''),
    )
    return repair_checksums(_SIGNATURE + b''.join(parts))


def good_files() -> list[bytes]:
    """Make small files of every kind: progressive, grey, 16-bit, with alpha, and so on."""
    dice = np.random.default_rng(7)
    colour = dice.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(colour, (0, 0), 3.0)
    grey = smooth[..., 0].copy()
    alpha = dice.integers(0, 256, (9, 17, 4), dtype=np.uint8)
    jpegs = [
        (colour, []),
        (smooth, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (grey, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]),
        (smooth, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]),
        (smooth, [cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_QUALITY, 30]),
    ]
    pngs = [
        (smooth, []),
        (grey, [cv2.IMWRITE_PNG_BILEVEL, 1]),
        (colour.astype(np.uint16) * 257, []),
        (alpha, [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FIXED]),
    ]
    files = [cv2.imencode('.jpg', *it)[1].tobytes() for it in jpegs]
    files += [cv2.imencode('.png', *it)[1].tobytes() for it in pngs]
    return [*files, palette_png()]


def damage_file(dice: np.random.Generator, files: list[bytes]) -> bytes:
    """Take one of the files and damage it once or several times."""
    data = bytearray(files[dice.integers(len(files))])
    for _ in range(dice.integers(1, 3)):
        _damage(dice, data, files)
    damaged = bytes(data)
    repairs = damaged.startswith(_SIGNATURE) and dice.random() < 0.8
    return repair_checksums(damaged) if repairs else damaged


def _damage(dice: np.random.Generator, data: bytearray, files: list[bytes]) -> None:
    # Most of what can go wrong is told in the first bytes.
    reach = len(data) if dice.random() < 0.5 else min(len(data), 200)
    start = int(dice.integers(reach + 1))
    stop = min(len(data), start + int(dice.integers(1, 60)))
    kind = dice.integers(14)
    if kind == 0:
        del data[start:]
    elif kind == 1:
        del data[start:stop]
    elif kind == 2:
        data[start:start] = data[start:stop]
    elif kind == 3:
        data[start:start] = dice.bytes(int(dice.integers(1, 40)))
    elif kind == 4:
        other = files[dice.integers(len(files))]
        data[start:] = other[int(dice.integers(len(other))) :]
    elif kind == 5 and stop + 4 <= len(data):
        number = ABSURD[dice.integers(len(ABSURD))]
        form = '>I' if dice.random() < 0.5 else '>H'
        struct.pack_into(form, data, start, number & (0xFFFFFFFF if form == '>I' else 0xFFFF))
    else:
        for place in dice.integers(start, max(stop, start + 1), 3):
            if place < len(data):
                data[place] ^= 1 << int(dice.integers(8))


def damaged_compressed(dice: np.random.Generator, files: list[bytes]) -> SimpleNamespace:
    """Make a compressed image message that is damaged."""
    formats = ('jpeg', 'png', 'rgb8; jpeg compressed rgb8', '', 'long' * 999, 'two\nlines')
    return compressed(damage_file(dice, files), formats[dice.integers(len(formats))])


def damaged_raw(dice: np.random.Generator) -> SimpleNamespace:
    """Make a raw image message whose fields may or may not agree."""

    def number(usual: int) -> int:
        choice = dice.random()
        if choice < 0.6:
            return usual
        if choice < 0.8:
            return max(0, usual + int(dice.integers(-3, 4)))
        return ABSURD[dice.integers(len(ABSURD))]

    width, height = int(dice.integers(1, 40)), int(dice.integers(1, 40))
    row = width * int(dice.integers(1, 9)) + int(dice.integers(0, 3))
    data = dice.bytes(min(_MAX_DATA, max(0, row * height * int(dice.integers(1, 4)) // 2)))
    message = image(
        [b''],
        width=number(width),
        height=number(height),
        encoding=ENCODINGS[dice.integers(len(ENCODINGS))],
        big_endian=int(dice.integers(0, 256)),
    )
    message.step = number(row)
    message.data = array.array('B', data)
    return message


def bombs() -> dict[str, bytes]:
    """Make small files that say that they hold far more pixels than they do."""
    colour = np.zeros((16, 16, 3), np.uint8)
    baseline = cv2.imencode('.jpg', colour)[1].tobytes()
    progressive = cv2.imencode('.jpg', colour, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    forged = _with_jpeg_size(baseline, b'\xff\xc0', 10_000, 10_000)
    start = baseline.index(b'\xff\xc0')
    frame = baseline[start : start + 19]
    return {
        'jpeg below the limit': forged,
        'jpeg in one row': _with_jpeg_size(baseline, b'\xff\xc0', 1, 65_535),
        'progressive jpeg': _with_jpeg_size(progressive, b'\xff\xc2', 10_000, 10_000),
        'jpeg with a second size': _with_jpeg_size(baseline, b'\xff\xc0', 30_000, 30_000)[:-2]
        + frame
        + b'\xff\xd9',
        'png below the limit': _png_of(10_000, 10_000, bytes(3000)),
        'png in one column': _png_of(1, 100_000_000, bytes(3000)),
        'png above the limit': _png_of(2**31 - 1, 2**31 - 1, bytes(3000)),
        'png of a bomb in a text': _png_of(4, 4, bytes(52), text_mb=100),
    }


def _with_jpeg_size(data: bytes, frame_marker: bytes, height: int, width: int) -> bytes:
    forged = bytearray(data)
    struct.pack_into('>HH', forged, data.index(frame_marker) + 5, height, width)
    return bytes(forged)


def _png_of(width: int, height: int, pixels: bytes, *, text_mb: int = 0) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack('>I', len(body)) + kind + body + bytes(4)

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    text = b''.join(packer.compress(bytes(1_000_000)) for _ in range(text_mb)) + packer.flush()
    words = chunk(b'zTXt', b'Comment\0\0' + text)
    body = chunk(b'IDAT', zlib.compress(pixels)) + chunk(b'IEND', b'')
    return repair_checksums(_SIGNATURE + chunk(b'IHDR', header) + words + body)
