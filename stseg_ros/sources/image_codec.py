"""Image messages to frames, for any object with their fields, be it rclpy's or rosbags'."""

from __future__ import annotations

import re
from typing import Any, Protocol

import cv2
import numpy as np

from stseg_ros.errors import FrameError
from stseg_ros.records import ChannelOrder, Frame, UInt8Array
from stseg_ros.sources.image_headers import read_image_header
from stseg_ros.sources.raw_encodings import SUPPORTED_ENCODINGS, RawImage, decode_raw

# The array that came in was stored as if it were BGR, so the decoder's BGR is really RGB.
_STORED_AS_RGB = re.compile(r';.*compressed rgb')
_LONGEST_NAME = 60


class Stamp(Protocol):
    """builtin_interfaces/Time."""

    sec: int
    nanosec: int


class Header(Protocol):
    """std_msgs/Header."""

    stamp: Stamp
    frame_id: str


class ImageMessage(Protocol):
    """sensor_msgs/Image; `data` is anything with a buffer of bytes."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedImageMessage(Protocol):
    """sensor_msgs/CompressedImage; `data` is anything with a buffer of bytes."""

    header: Header
    format: str
    data: Any


def decode(message: Any) -> Frame:
    """Decode an image message, raw or compressed.

    Args:
        message: a sensor_msgs/Image or a sensor_msgs/CompressedImage.

    Returns:
        See `decode_image` and `decode_compressed`.

    Raises:
        FrameError: the message is neither, or its image cannot be used.
    """
    if hasattr(message, 'encoding'):
        return decode_image(message)
    if hasattr(message, 'format'):
        return decode_compressed(message)
    raise FrameError(
        f'a message of type {type(message).__name__} carries no image; '
        'expected sensor_msgs/Image or sensor_msgs/CompressedImage'
    )


def decode_image(message: ImageMessage) -> Frame:
    """Decode a raw image.

    Args:
        message: a sensor_msgs/Image; rows may be padded, 16-bit samples of either byte order.

    Returns:
        The frame. For rgb8, bgr8 and 8UC3 its image is a view of the message's buffer, otherwise
        it owns its pixels. 16-bit samples keep their upper 8 bits; grey becomes three channels.

    Raises:
        FrameError: the encoding is unknown, the size is 0, or size, step and data do not agree.
    """
    raw = RawImage(
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        big_endian=bool(message.is_bigendian),
        step=message.step,
        data=np.frombuffer(message.data, np.uint8),
    )
    if raw.encoding in SUPPORTED_ENCODINGS:
        image_hwc, order = decode_raw(raw)
    else:
        image_hwc, order = _decode_with_cv_bridge(message), ChannelOrder.BGR
    return _frame(image_hwc, order, message.header)


def decode_compressed(message: CompressedImageMessage) -> Frame:
    """Decode a JPEG or PNG image.

    Args:
        message: a sensor_msgs/CompressedImage. What its data holds is told by the data; its
            format only decides the channel order ('rgb8; jpeg compressed rgb8').

    Returns:
        The frame, pixels as stored (an EXIF rotation is not applied, so that camera_info fits).

    Raises:
        FrameError: the data is truncated, corrupt, too large, or no JPEG or PNG image.
    """
    if 'compressedDepth' in message.format:
        raise FrameError(
            f'format {_quoted(message.format)} is a depth image; subscribe to a colour image topic'
        )
    data = bytes(message.data)
    try:
        image_hwc = decode_image_file(data)
    except FrameError as error:
        raise FrameError(
            f'compressed image (format {_quoted(message.format)}): {error}'
        ) from error
    stored_as_rgb = _STORED_AS_RGB.search(message.format) is not None
    order = ChannelOrder.RGB if stored_as_rgb else ChannelOrder.BGR
    return _frame(image_hwc, order, message.header)


def decode_image_file(data: bytes) -> UInt8Array:
    """Decode the content of a JPEG or PNG file.

    Args:
        data: the whole file.

    Returns:
        (H, W, 3) uint8 BGR, pixels as stored; grey becomes three channels, 16 bits become 8.

    Raises:
        FrameError: the data is truncated, corrupt, too large, or neither JPEG nor PNG.
    """
    header = read_image_header(data)
    try:
        image = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error as error:
        raise FrameError(f'{header.format} image is corrupt: {error.err}') from error
    if image is None:
        raise FrameError(f'{header.format} image is corrupt: its pixels cannot be decoded')
    return np.asarray(image, np.uint8)


def header_stamp_ns(header: Header) -> int:
    """Return the stamp of a message header in ns since the ROS epoch."""
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def _frame(image_hwc: UInt8Array, order: ChannelOrder, header: Header) -> Frame:
    return Frame(
        image_hwc=image_hwc,
        channel_order=order,
        stamp_ns=header_stamp_ns(header),
        frame_id=header.frame_id,
    )


def _quoted(name: str) -> str:
    """Quote a name from a message, which may be anything of any length, for another message."""
    return repr(name if len(name) <= _LONGEST_NAME else f'{name[:_LONGEST_NAME]}...')


def _decode_with_cv_bridge(message: ImageMessage) -> UInt8Array:
    """Leave an encoding that is not ours to cv_bridge, where a ROS installation has it.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        FrameError: cv_bridge is missing, does not work with this NumPy, or cannot convert either.
    """
    unsupported = (
        f'encoding {_quoted(message.encoding)} is not supported; publish one of '
        f'{", ".join(sorted(SUPPORTED_ENCODINGS))}'
    )
    try:
        from cv_bridge import CvBridge

        converted = CvBridge().imgmsg_to_cv2(message, desired_encoding='bgr8')
    except (ImportError, AttributeError) as error:
        raise FrameError(f'{unsupported} (cv_bridge cannot be used: {error})') from error
    except (TypeError, ValueError, KeyError, RuntimeError, SystemError, cv2.error) as error:
        # CvBridgeError is a TypeError; its compiled part raises the others.
        raise FrameError(f'{unsupported} (cv_bridge cannot convert it: {error})') from error
    image_hwc = np.asarray(converted)
    if image_hwc.dtype != np.uint8 or image_hwc.ndim != 3 or image_hwc.shape[2] != 3:
        shape = 'x'.join(map(str, image_hwc.shape))
        raise FrameError(f'{unsupported} (cv_bridge returned {image_hwc.dtype} {shape})')
    return image_hwc
