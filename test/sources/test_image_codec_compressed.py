"""Compressed images: what they hold, and every way in which they are broken."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from support.image_messages import FRAME_ID, STAMP_NS, compressed

from stseg_ros.errors import FrameError
from stseg_ros.records import ChannelOrder
from stseg_ros.sources.image_codec import decode, decode_compressed


def smooth_bgr() -> np.ndarray:
    """Make a picture that JPEG keeps well: red grows to the right, blue downwards."""
    down, right = np.mgrid[0:24, 0:40]
    return np.stack([down * 10, np.full_like(down, 60), right * 6], axis=-1).astype(np.uint8)


def encoded(suffix: str, *options: int) -> bytes:
    """Encode the smooth picture."""
    done, data = cv2.imencode(suffix, smooth_bgr(), list(options))
    assert done
    return data.tobytes()


def test_png_is_exact() -> None:
    frame = decode(compressed(encoded('.png'), 'png'))
    assert frame.channel_order is ChannelOrder.BGR
    np.testing.assert_array_equal(frame.image_hwc, smooth_bgr())
    assert (frame.stamp_ns, frame.frame_id) == (STAMP_NS, FRAME_ID)


@pytest.mark.parametrize(
    'options',
    [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)],
    ids=['baseline', 'progressive', 'restart markers'],
)
def test_jpeg_is_close(options: tuple[int, ...]) -> None:
    frame = decode(compressed(encoded('.jpg', cv2.IMWRITE_JPEG_QUALITY, 98, *options)))
    np.testing.assert_allclose(
        frame.image_hwc.astype(int), smooth_bgr().astype(int), atol=12, rtol=0
    )


@pytest.mark.parametrize(
    ('image_format', 'order'),
    [
        ('jpeg', ChannelOrder.BGR),
        ('rgb8; jpeg compressed bgr8', ChannelOrder.BGR),
        ('bgr8; jpeg compressed bgr8', ChannelOrder.BGR),
        ('rgb8; jpeg compressed rgb8', ChannelOrder.RGB),
        ('mono8; jpeg compressed ', ChannelOrder.BGR),
    ],
)
def test_format_tells_how_the_channels_were_stored(image_format: str, order: ChannelOrder) -> None:
    frame = decode_compressed(compressed(encoded('.png'), image_format))
    assert frame.channel_order is order
    np.testing.assert_array_equal(frame.image_hwc, smooth_bgr())


def test_png_of_16_bits_keeps_the_upper_8() -> None:
    _, data = cv2.imencode('.png', np.array([[0x12FF, 0xFE00]], np.uint16))
    frame = decode(compressed(data.tobytes(), 'mono16; png compressed '))
    np.testing.assert_allclose(frame.image_hwc[0, :, 0], [0x12, 0xFE], atol=1)


def test_exif_rotation_is_not_applied() -> None:
    rotated = b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    plain = encoded('.jpg')
    data = plain[:2] + b'\xff\xe1' + struct.pack('>H', len(rotated) + 2) + rotated + plain[2:]
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (40, 24, 3)
    assert decode(compressed(data)).image_hwc.shape == (24, 40, 3)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_every_truncation_is_found(suffix: str) -> None:
    data = encoded(suffix)
    for length in range(len(data)):
        with pytest.raises(FrameError, match=r'truncated|neither JPEG nor PNG|corrupt'):
            decode(compressed(data[:length]))


def test_bytes_after_the_end_marker_do_no_harm() -> None:
    assert decode(compressed(encoded('.jpg') + bytes(100))).image_hwc.shape == (24, 40, 3)


def test_png_with_damaged_pixels_is_corrupt() -> None:
    data = bytearray(encoded('.png'))
    data[60] ^= 0xFF
    with pytest.raises(FrameError, match=r"format 'png'.*corrupt"):
        decode(compressed(bytes(data), 'png'))


@pytest.mark.parametrize('data', [b'', b'not an image', b'RIFF\0\0\0\0WEBPVP8 '])
def test_other_data_is_neither_jpeg_nor_png(data: bytes) -> None:
    with pytest.raises(FrameError, match=r"format 'h264'.*neither JPEG nor PNG"):
        decode(compressed(data, 'h264'))


def test_compressed_depth_is_refused_by_name() -> None:
    with pytest.raises(FrameError, match='depth image'):
        decode(compressed(encoded('.png'), '16UC1; compressedDepth png'))
