"""House fronts of the synthetic scenes."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.noise import noise_tile, texture_generator
from stseg_ros.datasets.synthetic.textures import Texture, premultiplied
from stseg_ros.records import Float32Array

FACADE_COUNT = 28
_HEIGHT, _WIDTH = 384, 512
_BRICK = {0, 4, 5}
_WALLS = (
    (150, 92, 70),
    (196, 178, 150),
    (222, 216, 202),
    (128, 122, 116),
    (172, 128, 92),
    (100, 84, 76),
)


@lru_cache(maxsize=FACADE_COUNT)
def facade(index: int) -> Texture:
    """Make a house front of several storeys, with windows, and sometimes shops.

    Args:
        index: 0 to FACADE_COUNT - 1.

    Returns:
        384 rows, 512 columns, opaque.
    """
    rng = texture_generator(3, index)
    style = index % len(_WALLS)
    front = np.empty((_HEIGHT, _WIDTH, 3), np.float32)
    front[:] = np.array(_WALLS[style], np.float32) * rng.uniform(0.8, 1.1)
    if style in _BRICK:
        front[::5] *= 0.86
    storeys = int(rng.integers(2, 6))
    _paint_storeys(front, rng, storeys, bays=int(rng.integers(4, 10)))
    for storey in range(1, storeys):
        row = int(storey * _HEIGHT / storeys)
        front[row : row + 4] *= 1.12
        front[row + 4 : row + 7] *= 0.75
    front[:8] *= 0.6
    stain = noise_tile(30, (_HEIGHT, _WIDTH), (6, 8), 6)
    grit = noise_tile(31, (_HEIGHT, _WIDTH), (96, 128), 2)
    front *= 1.0 + (0.09 * stain + 0.06 * grit)[..., None]
    return premultiplied(front, np.ones((_HEIGHT, _WIDTH), np.float32))


def _paint_storeys(front: Float32Array, rng: np.random.Generator, storeys: int, bays: int) -> None:
    storey_px, bay_px = _HEIGHT / storeys, _WIDTH / bays
    shops = bool(rng.random() < 0.55)
    window_w, window_h = bay_px * rng.uniform(0.35, 0.72), storey_px * rng.uniform(0.45, 0.68)
    frame = [float(rng.uniform(150, 240))] * 3
    for storey in range(storeys):
        if shops and storey == storeys - 1:
            _paint_shops(front, rng, int(storey * storey_px), bays)
            continue
        top = (storey + 0.2) * storey_px
        for bay in range(bays):
            left = (bay + 0.5) * bay_px - window_w / 2
            _paint_window(front, rng, (left, top, window_w, window_h), frame)


def _paint_window(
    front: Float32Array,
    rng: np.random.Generator,
    box_xywh: tuple[float, float, float, float],
    frame: list[float],
) -> None:
    x, y, w, h = (round(value) for value in box_xywh)
    cv2.rectangle(front, (x - 2, y - 2), (x + w + 2, y + h + 2), frame, -1)
    glass = rng.uniform(20, 75) * np.array([0.9, 1.0, 1.1])
    if rng.random() < 0.2:
        glass = glass + rng.uniform(60, 130)
    cv2.rectangle(front, (x, y), (x + w, y + h), glass.tolist(), -1)
    split = y + int(h * rng.uniform(0.3, 0.6))
    cv2.rectangle(front, (x, y), (x + w, split), (glass * 1.35).tolist(), -1)
    if rng.random() < 0.7:
        cv2.line(front, (x + w // 2, y), (x + w // 2, y + h), frame, 2)
    sill = [value * 0.8 for value in frame]
    cv2.rectangle(front, (x - 4, y + h + 2), (x + w + 4, y + h + 5), sill, -1)


def _paint_shops(front: Float32Array, rng: np.random.Generator, top: int, bays: int) -> None:
    shops = max(2, bays // 2)
    for shop in range(shops):
        left, right = shop * _WIDTH // shops, (shop + 1) * _WIDTH // shops
        below_sign = _paint_sign(front, rng, (left, right), top) + 6
        front[below_sign : _HEIGHT - 12, left + 8 : right - 8] = rng.uniform(18, 90)
        for _ in range(7):
            x = int(rng.integers(left + 8, right - 14))
            y = int(rng.integers(below_sign, _HEIGHT - 16))
            corner = (min(x + int(rng.integers(4, 30)), right - 9), _HEIGHT - 13)
            goods = rng.uniform(20, 190) * (1 + rng.uniform(-0.25, 0.25, 3))
            cv2.rectangle(front, (x, y), corner, goods.tolist(), -1)
        door = left + int(rng.integers(10, max(11, right - left - 34)))
        front[below_sign + 4 : _HEIGHT, door : door + 24] = rng.uniform(25, 110)


def _paint_sign(
    front: Float32Array, rng: np.random.Generator, x_range: tuple[int, int], top: int
) -> int:
    """Paint one shop's sign and return the row below it."""
    left, right = x_range
    sign_h = (_HEIGHT - top) // 4
    colour = rng.uniform(20, 210) * (1 + rng.uniform(-0.4, 0.4, 3))
    front[top:_HEIGHT, left:right] = rng.uniform(40, 150)
    front[top : top + sign_h, left:right] = colour
    ink = 235.0 if colour.mean() < 128 else 30.0
    x = left + int(rng.integers(8, 30))
    while x < right - 20:
        letter = int(rng.integers(3, 9))
        front[top + sign_h // 3 : top + 2 * sign_h // 3, x : x + letter] = ink
        x += letter + int(rng.integers(2, 5))
    return top + sign_h
