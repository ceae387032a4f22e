"""Image messages made by hand, as rclpy hands them over, with bytes in an array.array."""

from __future__ import annotations

import array
from types import SimpleNamespace

STAMP_NS = 1_317_042_145_964_389_445
FRAME_ID = 'camera_left'


def header(stamp_ns: int = STAMP_NS) -> SimpleNamespace:
    """Make a header."""
    stamp = SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return SimpleNamespace(stamp=stamp, frame_id=FRAME_ID)


def image(
    rows: list[bytes], *, width: int, encoding: str, height: int | None = None, big_endian: int = 0
) -> SimpleNamespace:
    """Make a raw image whose step is the length of the first row."""
    return SimpleNamespace(
        header=header(),
        height=len(rows) if height is None else height,
        width=width,
        encoding=encoding,
        is_bigendian=big_endian,
        step=len(rows[0]),
        data=array.array('B', b''.join(rows)),
    )


def compressed(data: bytes, image_format: str = 'jpeg') -> SimpleNamespace:
    """Make a compressed image."""
    return SimpleNamespace(header=header(), format=image_format, data=array.array('B', data))
