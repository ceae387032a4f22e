"""Views of a labelled image: cut, resize, flip and vary the colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stseg_ros.errors import ConfigError
from stseg_ros.records import UInt8Array

# Weights of red, green and blue in luma.
_LUMA_RGB = np.array([0.299, 0.587, 0.114])
# The paper's largest change of brightness and of contrast.
_LIGHT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """How far training views differ from the images.

    Attributes:
        zoom_low: smallest enlargement; below 1 a view reaches beyond the image, which is mirrored.
        zoom_high: largest enlargement.
        aspect_high: largest stretch of width against height, and of height against width.
        flip: probability of a horizontal flip.
        colour: probability of changed brightness, contrast, gamma, saturation and hue.
        degrade: probability of each of blur, noise and JPEG compression.
        light: probability of brightness and contrast changed by up to a tenth, all that the
            paper varies of the colours.
        rotate: probability of a rotation by any angle; for images without an up, as the paper
            does for its biomedical sets.
    """

    zoom_low: float = 0.6
    zoom_high: float = 1.6
    aspect_high: float = 1.6
    flip: float = 0.5
    colour: float = 0.8
    degrade: float = 0.0
    light: float = 0.0
    rotate: float = 0.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: the zoom range is empty, the stretch is below 1, or a probability is none.
        """
        if not 0 < self.zoom_low <= self.zoom_high:
            raise ConfigError(
                f'zoom {self.zoom_low} to {self.zoom_high} is empty; give low <= high'
            )
        if self.aspect_high < 1:
            raise ConfigError(f'aspect_high is {self.aspect_high}; give 1 or more')
        for name in ('flip', 'colour', 'degrade', 'light', 'rotate'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'{name} is {getattr(self, name)}; give a probability in [0, 1]')


def random_view_hw(
    nominal_hw: tuple[float, float], config: AugmentConfig, rng: np.random.Generator
) -> tuple[int, int]:
    """Draw the size of a view.

    Args:
        nominal_hw: size without augmentation, in image pixels.
        config: ranges of zoom and stretch; both are drawn evenly on a logarithmic scale.
        rng: source of randomness.

    Returns:
        Height and width in whole image pixels.
    """
    zoom = np.exp(rng.uniform(np.log(config.zoom_low), np.log(config.zoom_high)))
    stretch = np.exp(rng.uniform(-1.0, 1.0) * np.log(config.aspect_high) / 2.0)
    height, width = nominal_hw[0] / zoom * stretch, nominal_hw[1] / zoom / stretch
    return max(1, round(height)), max(1, round(width))


def cut_box(image: UInt8Array, origin_yx: tuple[int, int], size_hw: tuple[int, int]) -> UInt8Array:
    """Cut a box out of an image, mirroring the image where the box reaches beyond it.

    Args:
        image: (H, W) or (H, W, C).
        origin_yx: upper left corner; may lie outside, the box must not lie outside altogether.
        size_hw: size, 1 or more.

    Returns:
        The box; a view of `image` where it lies inside.
    """
    height, width = image.shape[:2]
    top, left = origin_yx
    bottom, right = top + size_hw[0], left + size_hw[1]
    inside = image[max(top, 0) : bottom, max(left, 0) : right]
    pads = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if not any(pads):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, *pads, cv2.BORDER_REFLECT), np.uint8)


def cut_from_map(
    map_hw: UInt8Array,
    image_hw: tuple[int, int],
    origin_yx: tuple[int, int],
    size_hw: tuple[int, int],
    view_hw: tuple[int, int],
) -> UInt8Array:
    """Cut a box of an image out of a coarser map of it, and resize it bilinearly.

    Args:
        map_hw: (h, w) uint8 map of the whole image.
        image_hw: the image's size.
        origin_yx: upper left corner of the box in image pixels, see `cut_box`.
        size_hw: the box's size in image pixels.
        view_hw: the size wanted.

    Returns:
        uint8 of that size; mirrored where the box reaches beyond the image.
    """
    # Of each axis: pixels of the map per pixel of the view, and where the view's first one lies.
    steps, starts = [], []
    for axis in (0, 1):
        scale = map_hw.shape[axis] / image_hw[axis]
        step = size_hw[axis] / view_hw[axis] * scale
        steps.append(step)
        starts.append(origin_yx[axis] * scale + 0.5 * step - 0.5)
    matrix = np.array([[steps[1], 0.0, starts[1]], [0.0, steps[0], starts[0]]])
    cut_hw = cv2.warpAffine(
        map_hw,
        matrix,
        view_hw[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(cut_hw, np.uint8)


def resize_labels(label_hw: UInt8Array, size_hw: tuple[int, int]) -> UInt8Array:
    """Resize a label map without mixing its values.

    Args:
        label_hw: (H, W) uint8.
        size_hw: the new height and width.

    Returns:
        (h, w) uint8.
    """
    method = cv2.INTER_NEAREST_EXACT
    return np.asarray(cv2.resize(label_hw, size_hw[::-1], interpolation=method), np.uint8)


def rotate(pixels: UInt8Array, degrees: float, *, labels: bool) -> UInt8Array:
    """Rotate a view about its centre; corners that nothing is left for are mirrored.

    Args:
        pixels: (h, w) or (h, w, C).
        degrees: counterclockwise.
        labels: whether values must not be mixed.

    Returns:
        The same shape.
    """
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    rotated = cv2.warpAffine(
        pixels,
        matrix,
        (width, height),
        flags=cv2.INTER_NEAREST if labels else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(rotated, np.uint8)


def vary_colours(
    image_hwc: UInt8Array, config: AugmentConfig, rng: np.random.Generator
) -> UInt8Array:
    """Change colours and quality at random.

    Args:
        image_hwc: (H, W, 3) uint8 RGB.
        config: probabilities.
        rng: source of randomness.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if rng.random() < config.colour:
        image_hwc = _vary_tone(_vary_hue(image_hwc, rng), rng)
    if config.light and rng.random() < config.light:
        contrast, brightness = rng.uniform(-_LIGHT, _LIGHT, size=2)
        level = np.arange(256) * (1 + contrast) + 255 * brightness
        table = np.clip(np.rint(level), 0, 255).astype(np.uint8)
        image_hwc = np.asarray(cv2.LUT(image_hwc, table), np.uint8)
    if rng.random() < config.degrade:
        sigma = rng.uniform(0.3, 1.2)
        image_hwc = np.asarray(cv2.GaussianBlur(image_hwc, (0, 0), sigma), np.uint8)
    if rng.random() < config.degrade:
        noise = rng.standard_normal(image_hwc.shape, np.float32) * rng.uniform(1.0, 8.0)
        image_hwc = np.clip(image_hwc + noise, 0, 255).astype(np.uint8)
    if rng.random() < config.degrade:
        quality = int(rng.integers(30, 90))
        _, code = cv2.imencode('.jpg', image_hwc, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image_hwc = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return image_hwc


def _vary_tone(image_hwc: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Gamma, contrast and brightness, a little differently per channel as white balance does."""
    level = np.linspace(0.0, 1.0, 256)[:, None] ** np.exp(rng.uniform(-0.35, 0.35))
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.94, 1.06, size=3)
    level = (level - 0.5) * gain + 0.5 + rng.uniform(-0.08, 0.08)
    table = np.clip(level * 255.0, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(image_hwc, table), np.uint8)


def _vary_hue(image_hwc: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Saturation about grey and a small rotation of the colours about the grey axis."""
    angle = rng.uniform(-0.25, 0.25)
    saturation = rng.uniform(0.3, 1.5)
    axis = np.full(3, 1.0 / np.sqrt(3.0))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = (
        np.cos(angle) * np.eye(3)
        + np.sin(angle) * cross
        + (1.0 - np.cos(angle)) * np.outer(axis, axis)
    )
    grey = np.outer(np.ones(3), _LUMA_RGB)
    matrix = (saturation * np.eye(3) + (1.0 - saturation) * grey) @ rotation
    return np.asarray(cv2.transform(image_hwc, matrix), np.uint8)
