"""Every encoding against pixels worked out by hand, and everything that can be wrong."""

from __future__ import annotations

import array
import struct
import sys
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
from support.image_messages import FRAME_ID, STAMP_NS, header, image

from stseg_ros.errors import FrameError
from stseg_ros.records import ChannelOrder, Frame
from stseg_ros.sources.image_codec import decode, decode_image
from stseg_ros.sources.raw_encodings import SUPPORTED_ENCODINGS

PADDING = b'\xaa\xaa\xaa'


def rgb(frame: Frame) -> np.ndarray:
    """Return the frame's pixels with red first."""
    red_first = frame.channel_order is ChannelOrder.RGB
    return frame.image_hwc if red_first else frame.image_hwc[..., ::-1]


def test_header_is_kept() -> None:
    frame = decode(image([b'\x01\x02\x03'], width=1, encoding='rgb8'))
    assert (frame.stamp_ns, frame.frame_id) == (STAMP_NS, FRAME_ID)


@pytest.mark.parametrize(
    ('encoding', 'order'),
    [('rgb8', ChannelOrder.RGB), ('bgr8', ChannelOrder.BGR), ('8UC3', ChannelOrder.BGR)],
)
def test_three_channels_are_a_view_without_the_padding(encoding: str, order: ChannelOrder) -> None:
    rows = [bytes([1, 2, 3, 4, 5, 6]) + PADDING, bytes([7, 8, 9, 10, 11, 12]) + PADDING]
    message = image(rows, width=2, encoding=encoding)
    frame = decode_image(message)
    assert frame.channel_order is order
    assert frame.image_hwc.tolist() == [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]
    message.data[9] = 99
    assert frame.image_hwc[1, 0, 0] == 99


@pytest.mark.parametrize('kind', [bytes, bytearray, memoryview, 'ndarray', 'read-only ndarray'])
def test_any_buffer_will_do(kind: object) -> None:
    message = image([bytes([1, 2, 3])], width=1, encoding='rgb8')
    data = message.data.tobytes()
    if callable(kind):
        message.data = kind(data)
    else:
        message.data = np.array(list(data), np.uint8)
        message.data.flags.writeable = kind == 'ndarray'
    assert decode(message).image_hwc.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ('encoding', 'pixel'), [('rgba8', [10, 20, 30, 255]), ('bgra8', [30, 20, 10, 0])]
)
def test_alpha_is_dropped(encoding: str, pixel: list[int]) -> None:
    frame = decode_image(image([bytes(pixel) * 2 + PADDING] * 2, width=2, encoding=encoding))
    assert rgb(frame).tolist() == [[[10, 20, 30]] * 2] * 2


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_fills_three_channels(encoding: str) -> None:
    rows = [bytes([5, 250]) + PADDING, bytes([0, 77]) + PADDING]
    frame = decode_image(image(rows, width=2, encoding=encoding))
    assert frame.image_hwc.tolist() == [[[5] * 3, [250] * 3], [[0] * 3, [77] * 3]]


@pytest.mark.parametrize('encoding', ['mono16', '16UC1'])
@pytest.mark.parametrize(('big_endian', 'order'), [(0, '<'), (1, '>')])
def test_grey_of_16_bits_keeps_the_upper_8(encoding: str, big_endian: int, order: str) -> None:
    rows = [struct.pack(f'{order}HH', 0x12FF, 0xFE00) + PADDING] * 2
    frame = decode_image(image(rows, width=2, encoding=encoding, big_endian=big_endian))
    assert frame.image_hwc.tolist() == [[[0x12] * 3, [0xFE] * 3]] * 2


@pytest.mark.parametrize('encoding', ['rgb16', 'bgr16'])
@pytest.mark.parametrize(('big_endian', 'order'), [(0, '<'), (1, '>')])
def test_colour_of_16_bits_keeps_the_upper_8(encoding: str, big_endian: int, order: str) -> None:
    samples = (0x0180, 0x0290, 0x03A0, 0x04B0, 0x05C0, 0x06D0)
    row = struct.pack(f'{order}6H', *samples) + PADDING
    frame = decode_image(image([row], width=2, encoding=encoding, big_endian=big_endian))
    assert frame.channel_order.value == encoding[:3]
    assert frame.image_hwc.tolist() == [[[1, 2, 3], [4, 5, 6]]]


def bt601(luma: int, u: int, v: int) -> list[float]:
    """Convert one pixel by the equations of ITU-R BT.601, studio range."""
    y = 1.164 * (luma - 16)
    return [
        y + 1.596 * (v - 128),
        y - 0.813 * (v - 128) - 0.391 * (u - 128),
        y + 2.018 * (u - 128),
    ]


@pytest.mark.parametrize(
    ('encoding', 'row'),
    [
        ('uyvy', [90, 100, 200, 150]),
        ('yuv422', [90, 100, 200, 150]),
        ('yuyv', [100, 90, 150, 200]),
        ('yuv422_yuy2', [100, 90, 150, 200]),
    ],
)
def test_packed_yuv(encoding: str, row: list[int]) -> None:
    frame = decode_image(image([bytes(row) + PADDING] * 2, width=2, encoding=encoding))
    expected = [bt601(100, 90, 200), np.clip(bt601(150, 90, 200), 0, 255)]
    np.testing.assert_allclose(rgb(frame)[1], expected, atol=1.0)


@pytest.mark.parametrize(('encoding', 'chroma'), [('nv12', [90, 200]), ('nv21', [200, 90])])
def test_semi_planar_yuv(encoding: str, chroma: list[int]) -> None:
    rows = [bytes([100, 60]) + PADDING, bytes([80, 120]) + PADDING, bytes(chroma) + PADDING]
    frame = decode_image(image(rows, width=2, height=2, encoding=encoding))
    expected = [[bt601(luma, 90, 200) for luma in row] for row in ([100, 60], [80, 120])]
    np.testing.assert_allclose(rgb(frame), np.clip(expected, 0, 255), atol=1.0)


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_mosaic_of_one_colour_gives_that_colour(pattern: str) -> None:
    sample = {'r': 200, 'g': 100, 'b': 50}
    even, odd = ([sample[letter] for letter in pattern[half : half + 2]] for half in (0, 2))
    rows = [bytes(even * 3) + PADDING, bytes(odd * 3) + PADDING] * 2
    frame = decode_image(image(rows, width=6, encoding=f'bayer_{pattern}8'))
    assert rgb(frame).tolist() == [[[200, 100, 50]] * 6] * 4


@pytest.mark.parametrize('encoding', sorted(SUPPORTED_ENCODINGS))
def test_every_encoding_names_what_is_wrong_with_its_data(encoding: str) -> None:
    size = 8
    row = bytes(size * 6)
    good = image([row] * (size * 2), width=size, height=size, encoding=encoding)
    assert decode_image(good).image_hwc.shape == (size, size, 3)

    short = SimpleNamespace(**{**vars(good), 'data': good.data[: size * 6 * size - 1]})
    with pytest.raises(FrameError, match=rf'truncated: expected \d+ bytes, got {size * 48 - 1}'):
        decode_image(short)
    empty = SimpleNamespace(**{**vars(good), 'data': array.array('B')})
    with pytest.raises(FrameError, match='truncated'):
        decode_image(empty)
    narrow = SimpleNamespace(**{**vars(good), 'step': size - 1})
    with pytest.raises(FrameError, match=rf'{encoding}.*step is 7 bytes, expected \d+ or more'):
        decode_image(narrow)
    for axis in ('width', 'height'):
        flat = SimpleNamespace(**{**vars(good), axis: 0})
        with pytest.raises(FrameError, match='no pixels'):
            decode_image(flat)


@pytest.mark.parametrize(
    ('encoding', 'width', 'height'),
    [('uyvy', 3, 2), ('yuyv', 1, 1), ('nv12', 4, 3), ('nv21', 3, 4)],
)
def test_sizes_that_chroma_cannot_have(encoding: str, width: int, height: int) -> None:
    message = image([bytes(64)] * 8, width=width, height=height, encoding=encoding)
    with pytest.raises(FrameError, match='multiple of 2'):
        decode_image(message)


@pytest.mark.parametrize(('width', 'height'), [(2, 8), (8, 1)])
def test_bayer_needs_neighbours(width: int, height: int) -> None:
    message = image([bytes(8)] * 8, width=width, height=height, encoding='bayer_rggb8')
    with pytest.raises(FrameError, match='too small'):
        decode_image(message)


def test_one_pixel_is_an_image() -> None:
    assert decode_image(image([b'\x07'], width=1, encoding='mono8')).image_hwc.shape == (1, 1, 3)


def test_unknown_encoding_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    with pytest.raises(FrameError, match=r"'32FC1' is not supported.*bgr8.*mono8.*cv_bridge"):
        decode_image(image([bytes(16)], width=4, encoding='32FC1'))


def fake_cv_bridge(answer: object) -> ModuleType:
    """Make a cv_bridge whose conversion returns or raises `answer`."""

    class CvBridge:
        def imgmsg_to_cv2(self, message: SimpleNamespace, desired_encoding: str) -> object:
            assert (message.encoding, desired_encoding) == ('nv24', 'bgr8')
            if isinstance(answer, Exception):
                raise answer
            return answer

    module = ModuleType('cv_bridge')
    module.CvBridge = CvBridge
    return module


def test_unknown_encoding_goes_to_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    monkeypatch.setitem(sys.modules, 'cv_bridge', fake_cv_bridge(pixels))
    frame = decode_image(image([bytes(8)] * 2, width=2, encoding='nv24'))
    assert frame.channel_order is ChannelOrder.BGR
    assert frame.image_hwc.tolist() == pixels.tolist()
    assert frame.stamp_ns == STAMP_NS


@pytest.mark.parametrize(
    'answer',
    [
        AttributeError('_ARRAY_API not found'),
        TypeError('[nv24] is not a color format'),
        RuntimeError('unknown'),
        np.zeros((2, 2), np.float32),
    ],
)
def test_cv_bridge_that_fails_costs_the_frame(
    monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setitem(sys.modules, 'cv_bridge', fake_cv_bridge(answer))
    with pytest.raises(FrameError, match="'nv24' is not supported"):
        decode_image(image([bytes(8)] * 2, width=2, encoding='nv24'))


def test_a_message_without_image_is_refused() -> None:
    with pytest.raises(FrameError, match='carries no image'):
        decode(SimpleNamespace(header=header()))


@pytest.mark.ros
def test_real_message_of_rclpy() -> None:
    messages = pytest.importorskip('sensor_msgs.msg')
    message = messages.Image(height=1, width=2, encoding='bgr8', step=6)
    message.header.stamp.sec, message.header.stamp.nanosec = 3, 4
    message.data = array.array('B', [1, 2, 3, 4, 5, 6])
    frame = decode(message)
    assert frame.image_hwc.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert frame.stamp_ns == 3_000_000_004
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    _, data = cv2.imencode('.png', pixels)
    small = messages.CompressedImage(format='png', data=array.array('B', data.tobytes()))
    np.testing.assert_array_equal(decode(small).image_hwc, pixels)
