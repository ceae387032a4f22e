"""Cached noise of the synthetic scenes; every tile is a function of its index and shape alone."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from stseg_ros.records import Float32Array, UInt8Array

_TEXTURE_SEED = 20221118


def texture_generator(family: int, index: int) -> np.random.Generator:
    """Return the generator of one texture of a family of textures."""
    return np.random.default_rng([_TEXTURE_SEED, family, index])


def wrapped_noise(
    rng: np.random.Generator, size_hw: tuple[int, int], cells_hw: tuple[int, int], octaves: int
) -> Float32Array:
    """Make fractal noise that tiles in both axes.

    Args:
        rng: source of randomness.
        size_hw: size of the tile in pixels.
        cells_hw: how many blobs the coarsest octave has along each axis.
        octaves: number of octaves; each halves the blob size and takes 0.6 of the amplitude.

    Returns:
        (H, W) float32 with mean 0 and standard deviation 1.
    """
    height, width = size_hw
    total = np.zeros(size_hw, np.float32)
    amplitude = 1.0
    for octave in range(octaves):
        rows = min(height, cells_hw[0] << octave)
        cols = min(width, cells_hw[1] << octave)
        grid = rng.standard_normal((rows, cols)).astype(np.float32)
        pad = np.pad(grid, 2, mode='wrap')
        scale_y, scale_x = height / rows, width / cols
        to_grid = np.array(
            [[1 / scale_x, 0, 1.5 + 0.5 / scale_x], [0, 1 / scale_y, 1.5 + 0.5 / scale_y]]
        )
        total += amplitude * cv2.warpAffine(
            pad, to_grid, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        amplitude *= 0.6
    total -= total.mean()
    return np.asarray(total / max(float(total.std()), 1e-6), dtype=np.float32)


@lru_cache(maxsize=64)
def noise_tile(
    index: int, size_hw: tuple[int, int], cells_hw: tuple[int, int], octaves: int
) -> Float32Array:
    """Return a cached tile of :func:`wrapped_noise`; do not write to it."""
    return wrapped_noise(texture_generator(1, index), size_hw, cells_hw, octaves)


@lru_cache(maxsize=4)
def sensor_noise(size_hw: tuple[int, int]) -> UInt8Array:
    """Return an RGB tile of camera noise around 128, partly shared by the channels.

    Args:
        size_hw: size of the tile in pixels.

    Returns:
        (H, W, 3) uint8, standard deviation about 32.
    """
    rng = texture_generator(2, 0)
    common = rng.standard_normal((*size_hw, 1), dtype=np.float32)
    single = rng.standard_normal((*size_hw, 3), dtype=np.float32)
    noise = cv2.GaussianBlur(0.7 * common + 0.5 * single, (3, 3), 0.6)
    return np.asarray(np.clip(128 + 32 * noise / noise.std(), 0, 255), dtype=np.uint8)
