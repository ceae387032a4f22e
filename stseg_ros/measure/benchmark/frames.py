"""The frames that are timed, decoded and resized beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.errors import DataError, FrameError
from stseg_ros.pipeline.preprocess import resize_image
from stseg_ros.records import ChannelOrder, Frame, UInt8Array
from stseg_ros.sources.image_folders import open_image_folder
from stseg_ros.sources.image_headers import read_image_header


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameSet:
    """The same pictures at every size, so that only the size differs.

    Attributes:
        source: where they come from, for people.
        by_size: frames in BGR, as cameras' drivers publish them, by size (H, W).
    """

    source: str
    by_size: dict[tuple[int, int], list[Frame]]


def load_frames(folder: Path | None, count: int, sizes_hw: Sequence[tuple[int, int]]) -> FrameSet:
    """Read images, or draw scenes, and bring each to every size.

    Args:
        folder: a folder of images, in any layout that `stseg bag from-images` knows; None draws
            synthetic scenes.
        count: how many; evenly spaced over the folder, fewer where it holds fewer.
        sizes_hw: sizes wanted; the aspect ratio is not kept.

    Returns:
        The frames.

    Raises:
        DataError: the folder holds no images, or one cannot be read.
    """
    if folder is None:
        pictures = [_scene(seed) for seed in range(count)]
        source = f'{count} synthetic scenes'
    else:
        paths = open_image_folder(folder).images
        step = max(1, len(paths) // count)
        pictures = [_read(path) for path in paths[::step][:count]]
        source = f'{len(pictures)} of {len(paths)} images of {folder.resolve().name}'
    return resize_frames(pictures, sizes_hw, source)


def resize_frames(
    pictures: Sequence[UInt8Array], sizes_hw: Sequence[tuple[int, int]], source: str
) -> FrameSet:
    """Bring pictures to every size.

    Args:
        pictures: (H, W, 3) uint8 BGR, of any sizes.
        sizes_hw: sizes wanted; the aspect ratio is not kept.
        source: where they come from, for people.

    Returns:
        The frames.
    """
    return FrameSet(
        source=source,
        by_size={
            size_hw: [
                Frame(image_hwc=resize_image(picture, size_hw), channel_order=ChannelOrder.BGR)
                for picture in pictures
            ]
            for size_hw in sizes_hw
        },
    )


def _scene(seed: int) -> UInt8Array:
    return np.ascontiguousarray(render_scene(seed).image_hwc[..., ::-1])


def _read(path: Path) -> UInt8Array:
    """Read a JPEG or PNG file as BGR."""
    try:
        data = path.read_bytes()
        # Decoders print lines of their own about damage, and return half an image.
        read_image_header(data)
        image_hwc = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except OSError as err:
        raise DataError(f'{path}: cannot be read: {err.strerror}') from err
    except (FrameError, cv2.error) as err:
        raise DataError(f'{path}: {err}') from err
    if image_hwc is None:
        raise DataError(f'{path}: is not an image that OpenCV reads, or is damaged')
    return np.asarray(image_hwc, np.uint8)
