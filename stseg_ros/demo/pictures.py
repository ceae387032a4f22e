"""The demonstration's video and its single picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.demo.demo_records import DemoFrame
from stseg_ros.demo.summary import pipeline_ms
from stseg_ros.errors import DataError
from stseg_ros.records import UInt8Array

_LARGEST_WIDTH = 960
_STRIP_HEIGHT = 30
_TEXT_BGR = (235, 235, 235)
# VP9 in MP4 is what browsers and players take and what OpenCV's own wheels can write.
_CODEC = 'vp09'


class VideoFile:
    """A video that takes its size from the first picture."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Remember where to write.

        Args:
            path: the .mp4 file.
            rate_hz: pictures per second.
        """
        self._path = path
        self._rate_hz = rate_hz
        self._writer: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)

    def add(self, picture_bgr: UInt8Array) -> None:
        """Append a picture; one of another size is resized to the first one's.

        Args:
            picture_bgr: (H, W, 3) uint8.

        Raises:
            DataError: the video cannot be written.
        """
        if self._writer is None:
            height, width = picture_bgr.shape[:2]
            # The codec takes even sizes only.
            self._size_wh = (width // 2 * 2, height // 2 * 2)
            codec = cv2.VideoWriter.fourcc(*_CODEC)
            self._writer = cv2.VideoWriter(str(self._path), codec, self._rate_hz, self._size_wh)
            if not self._writer.isOpened():
                raise DataError(f'{self._path}: this OpenCV cannot write {_CODEC} video there')
        if picture_bgr.shape[1::-1] != self._size_wh:
            picture_bgr = np.asarray(cv2.resize(picture_bgr, self._size_wh), np.uint8)
        self._writer.write(picture_bgr)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()


@contextmanager
def open_video(path: Path, rate_hz: float) -> Iterator[VideoFile]:
    """Write a video within a `with` block.

    Args:
        path: the .mp4 file.
        rate_hz: pictures per second.

    Yields:
        The video, to be added to.
    """
    video = VideoFile(path, rate_hz)
    try:
        yield video
    finally:
        video.close()


def captioned(overlay_bgr: UInt8Array, frame: DemoFrame, index: int) -> UInt8Array:
    """Shrink an overlay for viewing and write the frame's timing below it.

    Args:
        overlay_bgr: (H, W, 3) uint8.
        frame: what the node said of it.
        index: its place in the run, from 0.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    height, width = overlay_bgr.shape[:2]
    if width > _LARGEST_WIDTH:
        size_wh = (_LARGEST_WIDTH, round(height * _LARGEST_WIDTH / width))
        overlay_bgr = np.asarray(cv2.resize(overlay_bgr, size_wh, interpolation=cv2.INTER_AREA))
    strip = np.zeros((_STRIP_HEIGHT, overlay_bgr.shape[1], 3), np.uint8)
    cv2.putText(
        strip,
        _caption(frame, index),
        (8, 20),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.45,
        _TEXT_BGR,
        1,
        cv2.LINE_AA,
    )
    return np.vstack([overlay_bgr, strip])


def _caption(frame: DemoFrame, index: int) -> str:
    if frame.latency_ms is None:
        return f'frame {index}   no mask came'
    parts = [f'frame {index}', f'image out to mask in {frame.latency_ms:.1f} ms']
    timing = frame.timing
    if timing:
        parts += [
            f'pipeline {pipeline_ms(timing):.1f} ms',
            f'coarse {timing["coarse_ms"]:.1f}',
            f'refine {timing["refine_ms"]:.1f} ({timing["regions"]:.0f} regions)',
        ]
    return '   '.join(parts)
