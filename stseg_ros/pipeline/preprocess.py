"""Camera frame to network inputs."""

from __future__ import annotations

import cv2
import numpy as np

from stseg_ros.errors import FrameError
from stseg_ros.records import ChannelOrder, Float32Array, Frame, Int32Array, UInt8Array

SMALLEST_SIDE = 16
LARGEST_PIXELS = 100_000_000


def check_frame(frame: Frame) -> None:
    """Refuse what is not a usable camera image.

    Args:
        frame: the frame.

    Raises:
        FrameError: the array is not (H, W, 3) uint8, or its size is out of bounds.
    """
    image = frame.image_hwc
    if image.ndim != 3 or image.shape[2] != 3:
        raise FrameError(f'image has shape {image.shape}; expected (height, width, 3)')
    if image.dtype != np.uint8:
        raise FrameError(f'image has element type {image.dtype}; expected uint8')
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise FrameError(
            f'image is {width}x{height}; the smallest that can be segmented is '
            f'{SMALLEST_SIDE}x{SMALLEST_SIDE}'
        )
    if height * width > LARGEST_PIXELS:
        raise FrameError(
            f'image is {width}x{height}; the largest that can be segmented has '
            f'{LARGEST_PIXELS // 1_000_000} megapixels'
        )


def to_working_size(
    image_hwc: UInt8Array, working_hw: tuple[int, int], out: UInt8Array | None = None
) -> UInt8Array:
    """Resize an image to the working size, whatever its aspect ratio.

    Args:
        image_hwc: (H, W, 3) uint8.
        working_hw: the size wanted.
        out: (h, w, 3) uint8 to write to, which spares a third of the time; None makes a new array.

    Returns:
        (h, w, 3) uint8; the input itself where it has that size already.
    """
    height, width = image_hwc.shape[:2]
    if (height, width) == working_hw:
        return image_hwc
    # Below a shrinkage of 2 bilinear sampling still touches every source pixel, and is three times
    # faster than averaging over areas.
    shrinks_much = max(height / working_hw[0], width / working_hw[1]) > 2.0
    interpolation = cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR
    resized = cv2.resize(image_hwc, working_hw[::-1], dst=out, interpolation=interpolation)
    return np.asarray(resized, dtype=np.uint8)


def coarse_batch(working_hwc: UInt8Array, order: ChannelOrder, factor: int) -> UInt8Array:
    """Shrink a working image to the coarse network's input.

    Args:
        working_hwc: (H, W, 3) uint8.
        order: its channel order.
        factor: shrinkage in each axis.

    Returns:
        (1, H / factor, W / factor, 3) uint8 RGB, each pixel the mean of its factor x factor block
        to within one grey level.
    """
    small: cv2.typing.MatLike = working_hwc
    while factor > 1:
        # OpenCV halves with vector instructions; three halvings take less than half of one eighth.
        step = 2 if factor % 2 == 0 else factor
        height, width = small.shape[:2]
        size_wh = (width // step, height // step)
        small = cv2.resize(small, size_wh, interpolation=cv2.INTER_AREA)
        factor //= step
    if order is ChannelOrder.BGR:
        small = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
    return np.asarray(small, dtype=np.uint8)[None]


def region_batch(
    working_hwc: UInt8Array, order: ChannelOrder, boxes_xyxy: Int32Array
) -> UInt8Array:
    """Cut regions of equal size out of a working image.

    Args:
        working_hwc: (H, W, 3) uint8.
        order: its channel order.
        boxes_xyxy: (K, 4) half-open boxes inside the image, all of one size; K is 1 or more.

    Returns:
        (K, h, w, 3) uint8 RGB.
    """
    x0, y0, x1, y1 = boxes_xyxy[0]
    batch = np.empty((len(boxes_xyxy), y1 - y0, x1 - x0, 3), np.uint8)
    for region, (left, top, right, bottom) in zip(batch, boxes_xyxy, strict=True):
        window = working_hwc[top:bottom, left:right]
        if order is ChannelOrder.BGR:
            cv2.cvtColor(window, cv2.COLOR_BGR2RGB, dst=region)
        else:
            region[...] = window
    return batch


def upsample_logits(logits_hw: Float32Array, size_hw: tuple[int, int]) -> Float32Array:
    """Resize a logit map bilinearly.

    Args:
        logits_hw: (h, w) float32.
        size_hw: the size wanted.

    Returns:
        (H, W) float32, always a new array.
    """
    if logits_hw.shape == size_hw:
        return logits_hw.copy()
    resized = cv2.resize(logits_hw, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32)
