"""Pixel layouts of raw ROS images, and how each becomes three channels of 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stseg_ros.errors import FrameError
from stseg_ros.records import ChannelOrder, UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawImage:
    """The fields of a sensor_msgs/Image.

    Attributes:
        height: rows.
        width: columns.
        encoding: name of the pixel layout.
        big_endian: byte order of samples wider than one byte.
        step: bytes from one row to the next.
        data: (N,) uint8, the message's buffer.
    """

    height: int
    width: int
    encoding: str
    big_endian: bool
    step: int
    data: UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How one encoding lies in memory.

    Attributes:
        channels: samples per pixel in a row.
        sample_bytes: 1, or 2 for 16-bit samples, of which the upper byte is used.
        order: channel order of the result.
        convert: OpenCV code from (H, W, channels) to three channels; None where there are three.
        macropixel_hw: rows and columns that share colour samples and cannot be divided.
        smallest: rows and columns that the conversion needs; OpenCV returns black below.
        planar_chroma: whether half as many rows of chroma follow the rows of luma.
    """

    channels: int
    sample_bytes: int = 1
    order: ChannelOrder = ChannelOrder.BGR
    convert: int | None = None
    macropixel_hw: tuple[int, int] = (1, 1)
    smallest: int = 1
    planar_chroma: bool = False


_UYVY = _Layout(channels=2, convert=cv2.COLOR_YUV2BGR_UYVY, macropixel_hw=(1, 2))
_YUYV = _Layout(channels=2, convert=cv2.COLOR_YUV2BGR_YUY2, macropixel_hw=(1, 2))
_GREY = _Layout(channels=1, convert=cv2.COLOR_GRAY2BGR)
_GREY16 = _Layout(channels=1, convert=cv2.COLOR_GRAY2BGR, sample_bytes=2)


def _bayer(code: int) -> _Layout:
    return _Layout(channels=1, convert=code, smallest=3)


def _semi_planar(code: int) -> _Layout:
    return _Layout(channels=1, convert=code, macropixel_hw=(2, 2), planar_chroma=True)


_LAYOUTS = {
    'rgb8': _Layout(channels=3, order=ChannelOrder.RGB),
    'bgr8': _Layout(channels=3),
    '8UC3': _Layout(channels=3),
    'rgba8': _Layout(channels=4, convert=cv2.COLOR_RGBA2BGR),
    'bgra8': _Layout(channels=4, convert=cv2.COLOR_BGRA2BGR),
    'mono8': _GREY,
    '8UC1': _GREY,
    'mono16': _GREY16,
    '16UC1': _GREY16,
    'rgb16': _Layout(channels=3, sample_bytes=2, order=ChannelOrder.RGB),
    'bgr16': _Layout(channels=3, sample_bytes=2),
    'uyvy': _UYVY,
    'yuv422': _UYVY,
    'yuyv': _YUYV,
    'yuv422_yuy2': _YUYV,
    'nv12': _semi_planar(cv2.COLOR_YUV2BGR_NV12),
    'nv21': _semi_planar(cv2.COLOR_YUV2BGR_NV21),
    # ROS names the first two pixels of row 0, OpenCV the second and third of row 1.
    'bayer_rggb8': _bayer(cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': _bayer(cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': _bayer(cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': _bayer(cv2.COLOR_BayerGB2BGR),
}
SUPPORTED_ENCODINGS = frozenset(_LAYOUTS)


def decode_raw(raw: RawImage) -> tuple[UInt8Array, ChannelOrder]:
    """Turn a raw image into three channels of 8 bits.

    Args:
        raw: an image whose encoding is one of `SUPPORTED_ENCODINGS`.

    Returns:
        (H, W, 3) uint8 and its channel order. It is a view of `raw.data` for encodings that have
        three 8-bit channels already.

    Raises:
        FrameError: the size is 0 or does not fit the encoding, a row does not fit into `step`, or
            the data is shorter than its size says.
    """
    layout = _LAYOUTS[raw.encoding]
    _check_size(raw, layout)
    rows = raw.height * 3 // 2 if layout.planar_chroma else raw.height
    _check_data(raw, rows, raw.width * layout.channels * layout.sample_bytes)

    # Of a 16-bit sample only the upper byte is looked at, in place: that is the shift by 8 bits.
    upper_byte = 0 if raw.big_endian or layout.sample_bytes == 1 else 1
    samples: UInt8Array = np.ndarray(
        (rows, raw.width, layout.channels),
        np.uint8,
        raw.data,
        offset=upper_byte,
        strides=(raw.step, layout.channels * layout.sample_bytes, layout.sample_bytes),
    )
    if layout.sample_bytes > 1:
        samples = np.ascontiguousarray(samples)
    if layout.convert is None:
        return samples, layout.order
    return np.asarray(cv2.cvtColor(samples, layout.convert), np.uint8), layout.order


def _check_size(raw: RawImage, layout: _Layout) -> None:
    if not raw.height or not raw.width:
        raise FrameError(f'image of {raw.width}x{raw.height} has no pixels')
    what = f'{raw.encoding} image of {raw.width}x{raw.height}'
    if min(raw.height, raw.width) < layout.smallest:
        raise FrameError(
            f'{what} is too small to interpolate; expected {layout.smallest}x{layout.smallest} '
            'or more'
        )
    block_height, block_width = layout.macropixel_hw
    if raw.height % block_height or raw.width % block_width:
        raise FrameError(
            f'{what}: expected a width that is a multiple of {block_width} and a height that is '
            f'a multiple of {block_height}'
        )


def _check_data(raw: RawImage, rows: int, row_bytes: int) -> None:
    what = f'{raw.encoding} image of {raw.width}x{raw.height}'
    if raw.step < row_bytes:
        raise FrameError(
            f'{what}: step is {raw.step} bytes, expected {row_bytes} or more; '
            'the publisher must set step to the bytes of one row'
        )
    expected = raw.step * rows
    if raw.data.size < expected:
        raise FrameError(
            f'{what} with step {raw.step} is truncated: expected {expected} bytes, '
            f'got {raw.data.size}'
        )
