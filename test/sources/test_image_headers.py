"""Sizes and completeness from hand-made files."""

from __future__ import annotations

import struct
import zlib

import pytest

from stseg_ros.errors import FrameError
from stseg_ros.sources.image_headers import MAX_PIXELS, is_jpeg_or_png, read_image_header


def png(width: int, height: int) -> bytes:
    """Make a PNG of headers only."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + check

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IEND', b'')


def jpeg(width: int, height: int, *, frame_marker: int = 0xC0, scan: bytes = b'\x01') -> bytes:
    """Make a JPEG of headers and one scan."""
    frame = struct.pack('>HBHHB', 11, 8, height, width, 1) + b'\x01\x11\x00'
    return (
        b'\xff\xd8\xff\xe0\x00\x04JF\xff\xc4\x00\x03\x00'
        + bytes([0xFF, frame_marker])
        + frame
        + b'\xff\xda\x00\x02'
        + scan
        + b'\xff\xd9'
    )


@pytest.mark.parametrize(('make', 'name'), [(png, 'png'), (jpeg, 'jpeg')])
def test_size_is_read(make: object, name: str) -> None:
    header = read_image_header(make(640, 480))
    assert (header.format, header.size_hw) == (name, (480, 640))


@pytest.mark.parametrize('make', [png, jpeg])
@pytest.mark.parametrize(('width', 'height'), [(0, 5), (5, 0)])
def test_no_pixels(make: object, width: int, height: int) -> None:
    with pytest.raises(FrameError, match=f'{width}x{height} has no pixels'):
        read_image_header(make(width, height))


@pytest.mark.parametrize('make', [png, jpeg])
def test_forged_sizes_are_over_the_limit(make: object) -> None:
    assert MAX_PIXELS == 100_000_000
    assert read_image_header(make(10_000, 10_000)).size_hw == (10_000, 10_000)
    with pytest.raises(FrameError, match='10001x10000 is over the limit of 100 megapixels'):
        read_image_header(make(10_001, 10_000))


@pytest.mark.parametrize('marker', [0xC1, 0xC2, 0xCF])
def test_other_kinds_of_jpeg_frames(marker: int) -> None:
    assert read_image_header(jpeg(7, 9, frame_marker=marker)).size_hw == (9, 7)


def test_tables_are_not_taken_for_frames() -> None:
    with pytest.raises(FrameError, match='before its size is given'):
        read_image_header(jpeg(7, 9, frame_marker=0xC4))


@pytest.mark.parametrize(
    'scan',
    [
        b'\x01\xff\x00\xd9\x02',
        b'\x01\xff\xd0\x02\xff\xd7\x03',
        b'\x01\xff\xff',
        b'\x01\xff\xda\x00\x02\x05',
    ],
    ids=['stuffed', 'restart markers', 'fill bytes', 'second scan'],
)
def test_markers_inside_scans(scan: bytes) -> None:
    data = jpeg(7, 9, scan=scan)
    assert read_image_header(data).size_hw == (9, 7)
    with pytest.raises(FrameError, match='truncated'):
        read_image_header(data[:-1])


def test_an_end_marker_inside_a_segment_is_no_end() -> None:
    whole = jpeg(7, 9)
    thumbnail = b'\xff\xe1\x00\x06\xff\xd8\xff\xd9'
    with pytest.raises(FrameError, match='truncated'):
        read_image_header(whole[:2] + thumbnail + whole[2:-2])


def test_jpeg_without_marker_where_one_belongs() -> None:
    with pytest.raises(FrameError, match='no marker at byte 8'):
        read_image_header(b'\xff\xd8\xff\xe0\x00\x04JFxx\xff\xd9')


def test_png_must_start_with_its_header() -> None:
    whole = png(4, 4)
    with pytest.raises(FrameError, match='does not start with a header'):
        read_image_header(whole[:8] + whole[-12:])


def test_a_wrong_checksum_is_found_where_decoders_need_the_chunk() -> None:
    data = png(640, 480)
    kept = b'\x00\x00\x00\x03tEXt' + b'a\x00b' + b'\xde\xad\xbe\xef'
    assert read_image_header(data[:33] + kept + data[33:]).size_hw == (480, 640)
    # The last byte of the width.
    assert data[19] == 640 & 0xFF
    broken = data[:19] + b'\x81' + data[20:]
    with pytest.raises(FrameError, match='corrupt: the checksum of its IHDR data is wrong'):
        read_image_header(broken)


def test_files_are_known_by_their_first_bytes() -> None:
    assert is_jpeg_or_png(png(1, 1))
    assert is_jpeg_or_png(jpeg(1, 1)[:3])
    assert not is_jpeg_or_png(b'')
    assert not is_jpeg_or_png(b'RIFF....WEBP')
