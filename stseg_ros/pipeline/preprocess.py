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

# Of the area of all regions, up to which it takes no longer to resize a box around all of them:
# OpenCV divides what is large among the processors, and regions overlap where they are widened.
_TOGETHER_UP_TO = 2.0


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
        camera_hw = image_hwc.shape[0], image_hwc.shape[1]
        if camera_hw[0] < self._working_hw[0] or camera_hw[1] < self._working_hw[1]:
            # Enlarging samples beyond a region's edge, which only the whole frame has.
            _cut(self.whole(image_hwc), [0, 0], boxes, batch)
        else:
            self._resize_regions(image_hwc, boxes, batch)
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

    def _resize_regions(
        self, image_hwc: UInt8Array, boxes: list[list[int]], batch: UInt8Array
    ) -> None:
        """Resize what lies under the regions: all of it at once, or region by region."""
        camera_hw = image_hwc.shape[0], image_hwc.shape[1]
        wider = [self._on_camera_pixels(box, camera_hw) for box in boxes]
        lefts, tops, rights, bottoms = zip(*wider, strict=True)
        around = [min(lefts), min(tops), max(rights), max(bottoms)]
        pixels = sum(_area(box) for box in wider)
        if camera_hw != self._working_hw and _area(around) < _TOGETHER_UP_TO * pixels:
            together_hwc = self._resize_box(image_hwc, around)
            _cut(together_hwc, around, boxes, batch)
            return
        for region, box, inside in zip(batch, wider, boxes, strict=True):
            if box == inside:
                self._resize_box(image_hwc, box, region)
            else:
                _cut(self._resize_box(image_hwc, box), box, [inside], region[None])

    def _on_camera_pixels(self, box: list[int], camera_hw: tuple[int, int]) -> list[int]:
        """Widen a box in working pixels until its edges fall between camera pixels."""
        # Every so many working pixels, an edge between two of them is also one of the camera's.
        y_step, x_step = (
            working // math.gcd(camera, working)
            for camera, working in zip(camera_hw, self._working_hw, strict=True)
        )
        left, top, right, bottom = box
        # Whole numbers one by one: for few boxes this is faster than arrays.
        return [
            left - left % x_step,
            top - top % y_step,
            right + -right % x_step,
            bottom + -bottom % y_step,
        ]

    def _resize_box(
        self, image_hwc: UInt8Array, box: list[int], out: UInt8Array | None = None
    ) -> UInt8Array:
        """Resize what lies under a box, whose edges fall between camera pixels."""
        (height, width), (working_height, working_width) = image_hwc.shape[:2], self._working_hw
        left, top, right, bottom = box
        part_hwc = image_hwc[
            top * height // working_height : bottom * height // working_height,
            left * width // working_width : right * width // working_width,
        ]
        size_hw = bottom - top, right - left
        resized = self._scratch((*size_hw, 3)) if out is None else out
        _resize(part_hwc, size_hw, resized, self._scratch)
        return resized

    def _kept(self, shape: tuple[int, ...]) -> UInt8Array:
        """Return a buffer for intermediate images; fresh memory costs more than filling it."""
        if shape not in self._buffers:
            self._buffers[shape] = np.empty(shape, np.uint8)
        return self._buffers[shape]

    def _scratch(self, shape: tuple[int, ...]) -> UInt8Array:
        """Return memory for the moment, where shapes are too many to keep a buffer for each.

        Shapes of sizes that differ by a factor of 2 or more never share it, and so neither do the
        steps of `_resize`.
        """
        size = math.prod(shape)
        return self._kept((1 << (size - 1).bit_length(),))[:size].reshape(shape)


def _area(box: list[int]) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _cut(
    around_hwc: UInt8Array, around: list[int], boxes: list[list[int]], batch: UInt8Array
) -> None:
    """Cut boxes out of a part of the working image whose upper left corner is given."""
    x, y = around[:2]
    for region, (left, top, right, bottom) in zip(batch, boxes, strict=True):
        region[...] = around_hwc[top - y : bottom - y, left - x : right - x]


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
