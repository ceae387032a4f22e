"""Sizes and completeness from hand-made files."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from stseg_ros.errors import FrameError
from stseg_ros.sources.image_headers import MAX_PIXELS, is_jpeg_or_png, read_image_header


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack('>I', zlib.crc32(kind + content))
    return struct.pack('>I', len(content)) + kind + content + check


def png(
    width: int, height: int, *, depth: int = 8, colours: int = 2, pixel_bytes: int | None = None
) -> bytes:
    """Make a PNG of headers, with as many bytes for its pixels as could be right, or as asked."""
    header = struct.pack('>IIBBBBB', width, height, depth, colours, 0, 0, 0)
    pixels = bytes(width * height * 8 // 1032 + 9 if pixel_bytes is None else pixel_bytes)
    parts = (chunk(b'IHDR', header), chunk(b'IDAT', pixels), chunk(b'IEND', b''))
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


def jpeg(width: int, height: int, *, frame_marker: int = 0xC0, scan: bytes | None = None) -> bytes:
    """Make a JPEG of headers and one scan, of as many bytes as could be right, or as asked."""
    scan = b'\x01' * (width * height // 512) if scan is None else scan
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


@pytest.mark.parametrize('marker', [0xC1, 0xC2, 0xC3])
def test_other_kinds_of_jpeg_frames(marker: int) -> None:
    assert read_image_header(jpeg(7, 9, frame_marker=marker)).size_hw == (9, 7)


@pytest.mark.parametrize(('marker', 'name'), [(0xC5, 'SOF5'), (0xC9, 'SOF9'), (0xCF, 'SOF15')])
def test_kinds_of_jpeg_frames_that_no_camera_writes(marker: int, name: str) -> None:
    with pytest.raises(FrameError, match=rf'\({name}\); expected 0 to 3'):
        read_image_header(jpeg(7, 9, frame_marker=marker))


def test_few_bytes_hold_no_large_jpeg() -> None:
    # 640 x 480 pixels are 4800 blocks of 8 x 8: 600 bytes of one bit each.
    frame = len(jpeg(640, 480, scan=b''))
    assert read_image_header(jpeg(640, 480, scan=b'\x01' * (600 - frame))).size_hw == (480, 640)
    with pytest.raises(FrameError, match=r'640x480 is truncated or forged: its 599 bytes .* 600'):
        read_image_header(jpeg(640, 480, scan=b'\x01' * (599 - frame)))


@pytest.mark.parametrize(
    ('depth', 'colours', 'row_bytes'),
    [(8, 2, 30_001), (16, 6, 80_001), (1, 0, 1251), (4, 3, 5001), (8, 4, 20_001)],
)
def test_few_bytes_hold_no_large_png(depth: int, colours: int, row_bytes: int) -> None:
    least = 8000 * row_bytes // 1032
    kind = {'depth': depth, 'colours': colours}
    good = png(10_000, 8000, **kind, pixel_bytes=least)
    assert read_image_header(good).size_hw == (8000, 10_000)
    with pytest.raises(FrameError, match=f'forged: its {least - 1} bytes .* {least} or more'):
        read_image_header(png(10_000, 8000, **kind, pixel_bytes=least - 1))


@pytest.mark.parametrize(('depth', 'colours'), [(8, 1), (8, 7), (3, 0), (0, 2)])
def test_png_of_no_known_pixel(depth: int, colours: int) -> None:
    with pytest.raises(FrameError, match=f'no pixel of type {colours} and depth {depth}'):
        read_image_header(png(4, 4, depth=depth, colours=colours))


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_the_plainest_real_image_is_not_taken_for_forged(suffix: str) -> None:
    plain = np.full((3000, 4000, 3), 114, np.uint8)
    tightest = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_JPEG_QUALITY, 1]
    tightest += [cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    done, data = cv2.imencode(suffix, plain, tightest)
    assert done
    assert len(data) < 100_000
    assert read_image_header(data.tobytes()).size_hw == (3000, 4000)


def test_a_second_size_is_refused() -> None:
    # A decoder obeys the first one, which would be 4 gigabytes here.
    huge = jpeg(36_000, 36_000, scan=b'\x01')
    small = jpeg(8, 8)
    start = small.index(b'\xff\xc0')
    second = small[start : small.index(b'\xff\xda')]
    with pytest.raises(FrameError, match='gives its size twice'):
        read_image_header(huge[:-2] + second + b'\xff\xd9')
    whole = png(4, 4)
    with pytest.raises(FrameError, match='two header chunks'):
        read_image_header(whole[:33] + whole[8:33] + whole[33:])


def test_a_chunk_without_a_name_is_no_chunk() -> None:
    whole = png(4, 4)
    with pytest.raises(FrameError, match='no chunk at byte 33'):
        read_image_header(whole[:33] + chunk(b'tE\nt', b'') + whole[33:])


def test_animations_are_refused() -> None:
    whole = png(4, 4)
    with pytest.raises(FrameError, match='animated'):
        read_image_header(whole[:33] + chunk(b'acTL', bytes(8)) + whole[33:])


def test_more_scans_than_any_image_has_are_refused() -> None:
    whole = jpeg(7, 9)
    scan = b'\xff\xda\x00\x02\x05'
    assert read_image_header(whole[:-2] + 99 * scan + b'\xff\xd9').size_hw == (9, 7)
    with pytest.raises(FrameError, match='more than 100 scans'):
        read_image_header(whole[:-2] + 100 * scan + b'\xff\xd9')


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
        read_image_header(whole[:8] + whole[33:])


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
