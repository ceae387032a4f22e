"""Camera frame to network inputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from stseg_ros.errors import FrameError
from stseg_ros.pipeline.prior_channels import enlarge_planes, join_planes
from stseg_ros.records import Frame, Int32Array, UInt8Array

_Buffers = Callable[[tuple[int, ...]], UInt8Array]

SMALLEST_SIDE = 16
LARGEST_PIXELS = 100_000_000
# Longer ones are no camera's, and their other axis would be enlarged a hundredfold.
LONGEST_PER_SHORTEST = 64

# The coarse network's pixels are the mean of at least this many samples in each axis, which lie at
# most so many camera pixels apart. Twice as many samples, or the mean of all pixels, cost up to
# five times as much and change no data set's Dice for the better.
_FEWEST_SAMPLES = 2
_WIDEST_STEP = 6.0

# Up to a shrinkage of 2 bilinear sampling touches every source pixel, and up to this one eight of
# nine: full-HD frames at the working size of the shipped bundle are shrunk by 2.11.
_BILINEAR_UP_TO = 2.25


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
    if max(height, width) > LONGEST_PER_SHORTEST * min(height, width):
        raise FrameError(
            f'image is {width}x{height}; its longer side may be at most {LONGEST_PER_SHORTEST} '
            'times the shorter'
        )
    if height * width > LARGEST_PIXELS:
        raise FrameError(
            f'image is {width}x{height}; the largest that can be segmented has '
            f'{LARGEST_PIXELS // 1_000_000} megapixels'
        )


def coarse_samples(camera_hw: tuple[int, int], coarse_hw: tuple[int, int]) -> tuple[int, int]:
    """Lay out how a frame is sampled for the coarse network.

    Args:
        camera_hw: the camera image's size.
        coarse_hw: the coarse network's input size.

    Returns:
        Samples per coarse pixel in each axis, a power of two, and of how many camera rows one is
        read, the middle one or that above the middle.
    """
    shrinkage = max(camera_hw[0] / coarse_hw[0], camera_hw[1] / coarse_hw[1])
    times = _FEWEST_SAMPLES
    while shrinkage > _WIDEST_STEP * times:
        times *= 2
    return times, max(1, camera_hw[0] // (coarse_hw[0] * times))


def samples_per_pixel(from_hw: tuple[int, int], to_hw: tuple[int, int]) -> tuple[int, int]:
    """Lay out how an image is resized: so many bilinear samples are averaged for each pixel.

    Averaging over exact areas, as OpenCV's INTER_AREA does, took 2 ms more for 8 regions of a
    full-HD frame, of 8.7 ms in all.

    Args:
        from_hw: the image's size.
        to_hw: the size wanted.

    Returns:
        Samples per pixel down and across, each a power of two.
    """
    down, across = (_samples_along(*sizes) for sizes in zip(from_hw, to_hw, strict=True))
    return down, across


def _samples_along(from_size: int, to_size: int) -> int:
    samples = 1
    while from_size > _BILINEAR_UP_TO * to_size * samples:
        samples *= 2
    return samples


class FrameSampler:
    """Samples the networks' inputs from camera images, reading no more of them than is needed.

    Resizing a whole camera image costs as much as stage 1; but stage 1 needs it much smaller, and
    stage 2 only the chosen regions. A sampler keeps buffers: it belongs to one thread.
    """

    def __init__(self, *, working_hw: tuple[int, int], coarse_factor: int) -> None:
        """Lay out the sizes.

        Args:
            working_hw: every frame is taken as if it were resized to this.
            coarse_factor: stage 1 sees it shrunk by this in each axis.
        """
        self._working_hw = working_hw
        self._coarse_hw = working_hw[0] // coarse_factor, working_hw[1] // coarse_factor
        self._buffers: dict[tuple[int, ...], UInt8Array] = {}

    def coarse(self, image_hwc: UInt8Array) -> UInt8Array:
        """Shrink a whole frame to the coarse network's input.

        The frame is sampled bilinearly at a multiple of the size wanted, and then averaged.

        Args:
            image_hwc: (H, W, 3) uint8 of any size.

        Returns:
            (1, h, w, 3) uint8 in the frame's channel order, valid until the next call.
        """
        height, width = self._coarse_hw
        camera_hw = image_hwc.shape[0], image_hwc.shape[1]
        times, row_step = coarse_samples(camera_hw, self._coarse_hw)
        small = self._kept((height * times, width * times, 3))
        # As few rows as the samples need: most of the time goes into fetching the frame.
        rows_hwc = image_hwc[(row_step - 1) // 2 :: row_step]
        size_wh = (width * times, height * times)
        cv2.resize(rows_hwc, size_wh, dst=small, interpolation=cv2.INTER_LINEAR)
        while times > 1:
            # OpenCV halves with vector instructions, faster than it averages over larger blocks.
            times //= 2
            size_wh = (width * times, height * times)
            smaller = self._kept((height * times, width * times, 3))
            cv2.resize(small, size_wh, dst=smaller, interpolation=cv2.INTER_AREA)
            small = smaller
        return small[None]

    def regions(
        self,
        image_hwc: UInt8Array,
        boxes_xyxy: Int32Array,
        prior_hw: UInt8Array | None = None,
        features_fhw: UInt8Array | None = None,
    ) -> UInt8Array:
        """Cut regions of equal size out of a frame, at the working resolution.

        Args:
            image_hwc: (H, W, 3) uint8 of any size.
            boxes_xyxy: (K, 4) half-open boxes in working pixels, all of one size; K is 1 or more.
            prior_hw: (h, w) uint8 at the working size that becomes the fourth channel: what stage
                1 says of each pixel, see `stseg_ros.logit_bytes`. None leaves it out.
            features_fhw: (F, h, w) uint8 at the coarse size that become the channels after that:
                features of stage 1. None leaves them out.

        Returns:
            (K, h, w, 3, 4 or 4 + F) uint8: the frame's channels, the prior and the features, valid
            until the next call; the same pixels as if the whole frame were resized first.
        """
        boxes = boxes_xyxy.tolist()
        x0, y0, x1, y1 = boxes[0]
        batch = self._kept((len(boxes), y1 - y0, x1 - x0, 3))
        height, width = image_hwc.shape[:2]
        wider = self._on_camera_pixels(boxes, (height, width))
        if wider is None:
            working_hwc = self.whole(image_hwc)
            for region, (left, top, right, bottom) in zip(batch, boxes, strict=True):
                region[...] = working_hwc[top:bottom, left:right]
        else:
            working_height, working_width = self._working_hw
            for region, box, around in zip(batch, boxes, wider, strict=True):
                left, top, right, bottom = around
                part_hwc = image_hwc[
                    top * height // working_height : bottom * height // working_height,
                    left * width // working_width : right * width // working_width,
                ]
                self._resize_inside(part_hwc, around, box, region)
        if prior_hw is None:
            assert features_fhw is None
            return batch
        planes_hw = [prior_hw]
        if features_fhw is not None:
            planes_hw += list(enlarge_planes(features_fhw, self._working_hw, self._kept))
        return join_planes(batch, boxes_xyxy, planes_hw, self._kept)

    def whole(self, image_hwc: UInt8Array) -> UInt8Array:
        """Resize a whole frame to the working size.

        Args:
            image_hwc: (H, W, 3) uint8 of any size.

        Returns:
            (h, w, 3) uint8: the frame itself where it has that size, else valid until the next
            call.
        """
        if image_hwc.shape[:2] == self._working_hw:
            return image_hwc
        working = self._kept((*self._working_hw, 3))
        _resize(image_hwc, self._working_hw, working, self._kept)
        return working

    def _on_camera_pixels(
        self, boxes: list[list[int]], camera_hw: tuple[int, int]
    ) -> list[list[int]] | None:
        """Widen each box until its edges fall between camera pixels.

        Returns:
            Boxes in working pixels; None where resizing the whole frame is right, or less work.
        """
        (height, width), (working_height, working_width) = camera_hw, self._working_hw
        # Enlarging samples beyond a region's edge, which only the whole frame has.
        if height < working_height or width < working_width:
            return None
        # Every so many working pixels, an edge between two of them is also one of the camera's.
        x_step = working_width // math.gcd(width, working_width)
        y_step = working_height // math.gcd(height, working_height)
        wider, pixels = [], 0
        # Whole numbers one by one: for few boxes this is faster than arrays.
        for left, top, right, bottom in boxes:
            box = [
                left - left % x_step,
                top - top % y_step,
                right + -right % x_step,
                bottom + -bottom % y_step,
            ]
            wider.append(box)
            pixels += (box[2] - box[0]) * (box[3] - box[1])
        if pixels >= working_height * working_width and wider != boxes:
            return None
        return wider

    def _resize_inside(
        self, part_hwc: UInt8Array, wider: list[int], box: list[int], out: UInt8Array
    ) -> None:
        """Resize a part of the camera image to a box around a region; keep the region."""
        left, top, right, bottom = wider
        if wider == box:
            _resize(part_hwc, (bottom - top, right - left), out, self._kept)
            return
        around_hwc = self._kept((bottom - top, right - left, 3))
        _resize(part_hwc, (bottom - top, right - left), around_hwc, self._kept)
        out[...] = around_hwc[box[1] - top : box[3] - top, box[0] - left : box[2] - left]

    def _kept(self, shape: tuple[int, ...]) -> UInt8Array:
        """Return a buffer for intermediate images; fresh memory costs more than filling it."""
        if shape not in self._buffers:
            self._buffers[shape] = np.empty(shape, np.uint8)
        return self._buffers[shape]


def _fresh(shape: tuple[int, ...]) -> UInt8Array:
    return np.empty(shape, np.uint8)


def resize_image(image_hwc: UInt8Array, size_hw: tuple[int, int]) -> UInt8Array:
    """Resize an image as the pipeline does, whatever its aspect ratio.

    Args:
        image_hwc: (H, W, 3) uint8.
        size_hw: the size wanted.

    Returns:
        (h, w, 3) uint8, a new array.
    """
    resized = np.empty((*size_hw, 3), np.uint8)
    _resize(image_hwc, size_hw, resized, _fresh)
    return resized


def _resize(
    image_hwc: UInt8Array, size_hw: tuple[int, int], out: UInt8Array, buffer: _Buffers
) -> None:
    """Resize an image; `buffer` gives memory of a shape for what lies in between."""
    if image_hwc.shape[:2] == size_hw:
        out[...] = image_hwc
        return
    height, width = size_hw
    down, across = samples_per_pixel((image_hwc.shape[0], image_hwc.shape[1]), size_hw)
    while True:
        is_last = down == across == 1
        resized = out if is_last else buffer((height * down, width * across, 3))
        # Where it halves, this is the mean.
        cv2.resize(
            image_hwc, (width * across, height * down), dst=resized, interpolation=cv2.INTER_LINEAR
        )
        if is_last:
            return
        image_hwc, down, across = resized, max(1, down // 2), max(1, across // 2)
