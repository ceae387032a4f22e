"""The ROS messages that bags carry, built and serialised with no ROS installed.

The definitions are those of Humble, which later distributions kept for every message used here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from stseg_ros.records import UInt8Array
from stseg_ros.sources.image_codec import Header
from stseg_ros.sources.kitti_files import CameraCalibration

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
DIAGNOSTIC_ARRAY = 'diagnostic_msgs/msg/DiagnosticArray'
IMAGE_TYPES = frozenset({IMAGE, COMPRESSED_IMAGE})


@cache
def typestore() -> Typestore:
    """Return the message definitions."""
    return get_typestore(Stores.ROS2_HUMBLE)


def make_header(*, stamp_ns: int, frame_id: str) -> Header:
    """Make a std_msgs/Header.

    Args:
        stamp_ns: ns since the ROS epoch, 0 or more.
        frame_id: coordinate frame of the camera.

    Returns:
        The header.
    """
    types = _types()
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    stamp = types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=nanoseconds)
    header: Header = types['std_msgs/msg/Header'](stamp=stamp, frame_id=frame_id)
    return header


def make_image(image: UInt8Array, *, encoding: str, header: Header) -> Any:
    """Make a sensor_msgs/Image with unpadded rows.

    Args:
        image: (H, W) or (H, W, channels) uint8.
        encoding: the encoding that fits it, such as 'mono8' or 'bgr8'.
        header: the header, taken as it is.

    Returns:
        The message; it may share the image's memory.
    """
    height, width, *channels = image.shape
    return _types()[IMAGE](
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=width * (channels[0] if channels else 1),
        data=np.ascontiguousarray(image).reshape(-1),
    )


def make_compressed_image(data: bytes, *, image_format: str, header: Header) -> Any:
    """Make a sensor_msgs/CompressedImage.

    Args:
        data: the content of a JPEG or PNG file.
        image_format: 'jpeg' or 'png'.
        header: the header, taken as it is.

    Returns:
        The message.
    """
    return _types()[COMPRESSED_IMAGE](
        header=header, format=image_format, data=np.frombuffer(data, np.uint8)
    )


def make_camera_info(calibration: CameraCalibration, *, header: Header) -> Any:
    """Make a sensor_msgs/CameraInfo of a rectified camera.

    Args:
        calibration: size and projection of the camera.
        header: the header, taken as it is.

    Returns:
        The message, with no distortion and no rectifying rotation left to apply.
    """
    types = _types()
    height, width = calibration.size_hw
    projection = np.array(calibration.projection_3x4, np.float64).reshape(3, 4)
    return types[CAMERA_INFO](
        header=header,
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=projection[:, :3].reshape(-1),
        r=np.eye(3).reshape(-1),
        p=projection.reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=types['sensor_msgs/msg/RegionOfInterest'](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        ),
    )


def make_diagnostic_array(
    name: str, key_values: Iterable[tuple[str, str]], *, hardware_id: str, header: Header
) -> Any:
    """Make a diagnostic_msgs/DiagnosticArray of one status at level OK.

    Args:
        name: name of the status.
        key_values: what it reports.
        hardware_id: what it reports about.
        header: the header, taken as it is.

    Returns:
        The message.
    """
    types = _types()
    make_pair = types['diagnostic_msgs/msg/KeyValue']
    status = types['diagnostic_msgs/msg/DiagnosticStatus'](
        level=0,
        name=name,
        message='',
        hardware_id=hardware_id,
        values=[make_pair(key=key, value=value) for key, value in key_values],
    )
    return types[DIAGNOSTIC_ARRAY](header=header, status=[status])


def _types() -> dict[str, Any]:
    """Return the message classes by name; made at run time, so type checkers cannot know them."""
    return dict(typestore().types)
