"""Cached textures of the synthetic scenes: what they are, and foliage.

Every texture is a function of its index alone, so scenes share them and a texture is made once per
process. They are uint8 RGBA with premultiplied alpha, row 0 at the top.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.camera import Float64Array
from stseg_ros.datasets.synthetic.noise import noise_tile, texture_generator
from stseg_ros.records import Float32Array, UInt8Array

TREE_COUNT = 18
HEDGE_COUNT = 6
TREE_ASPECT = 320 / 384
_TREE_HW = (384, 320)
_BARE, _CONIFER = 4, 5
_TREE_HUES = (
    (74, 84, 50),
    (62, 76, 46),
    (84, 88, 56),
    (98, 88, 58),
    (70, 76, 52),
    (40, 54, 44),
)


class Texture:
    """A premultiplied RGBA picture with reduced copies of itself, made when first needed."""

    def __init__(self, image_hwc: UInt8Array) -> None:
        """Take a (H, W, 4) uint8 picture."""
        self._levels = {(0, 0): image_hwc}

    def at_size(self, shown_wh: Float64Array) -> UInt8Array:
        """Return the copy that suits the size in pixels at which the whole texture is shown."""
        full = self._levels[0, 0]
        ratio = np.array([full.shape[1], full.shape[0]]) / np.maximum(shown_wh, 1.0)
        x, y = np.clip(np.floor(np.log2(np.maximum(ratio, 1.0)) + 0.4), 0, 7).astype(int).tolist()
        if (x, y) not in self._levels:
            size = (max(1, full.shape[1] >> x), max(1, full.shape[0] >> y))
            reduced = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
            self._levels[x, y] = np.asarray(reduced, dtype=np.uint8)
        return self._levels[x, y]


def premultiplied(rgb: Float32Array, alpha: Float32Array) -> Texture:
    """Make a texture of (H, W, 3) colours in grey levels and (H, W) alpha in [0, 1]."""
    rgba = np.dstack([np.clip(rgb, 0, 255) * alpha[..., None], alpha * 255.0])
    return Texture(np.rint(rgba).astype(np.uint8))


@lru_cache(maxsize=TREE_COUNT)
def tree(index: int) -> Texture:
    """Make a tree: leafy, bare or conifer by index.

    Args:
        index: 0 to TREE_COUNT - 1.

    Returns:
        384 rows, 320 columns; the foot of the trunk is in the middle of the last row.
    """
    rng = texture_generator(4, index)
    style = index % len(_TREE_HUES)
    if style == _BARE:
        return _bare_tree(rng)
    crown, light = _crown(rng, conifer=style == _CONIFER)
    leaves = noise_tile(40 + index % 3, _TREE_HW, (38, 32), 4)
    glitter = noise_tile(43 + index % 3, _TREE_HW, (128, 107), 2)
    cover = cv2.GaussianBlur(crown, (0, 0), 7) + 0.14 * leaves + 0.09 * glitter
    # Stray leaves far from the crown would look like dirt in the sky.
    core = (cover > 0.35).astype(np.float32)
    solid = np.clip(cv2.GaussianBlur(core, (0, 0), 3) * 3, 0, 1)
    alpha = np.asarray(np.clip((cover - 0.5) * 6, 0, 1) * solid, dtype=np.float32)
    shade = 0.5 + 0.7 * cv2.GaussianBlur(light, (0, 0), 5) + 0.3 * leaves + 0.27 * glitter
    green = np.array(_TREE_HUES[style], np.float32) * rng.uniform(0.75, 1.15)
    rgb = green * np.clip(shade, 0.12, 2.2)[..., None] * alpha[..., None]
    bark = np.array([74, 64, 54], np.float32) * (0.85 + 0.2 * leaves[..., None])
    rgb += bark * (1 - alpha[..., None])
    trunk = np.zeros(_TREE_HW, np.float32)
    cv2.rectangle(trunk, (153, 200), (166, 383), 1.0, -1)
    return premultiplied(np.asarray(rgb, np.float32), np.maximum(alpha, trunk))


def _crown(rng: np.random.Generator, *, conifer: bool) -> tuple[Float32Array, Float32Array]:
    """Return where a crown is, 0 or 1, and how much light each of its clumps gets."""
    crown, light = np.zeros(_TREE_HW, np.float32), np.zeros(_TREE_HW, np.float32)
    for _ in range(46):
        if conifer:
            y = rng.uniform(20, 330)
            x, radius = 160 + rng.normal(0, 0.12) * y, 8 + 0.1 * y
        else:
            angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
            x, y = 160 + 112 * reach * np.cos(angle), 140 + 105 * reach * np.sin(angle)
            radius = rng.uniform(18, 40)
        cv2.circle(crown, (int(x), int(y)), int(radius), 1.0, -1)
        lit = (int(x - radius / 3), int(y - radius / 3))
        cv2.circle(light, lit, int(radius * 0.6), float(rng.uniform(0.2, 1)), -1)
    return crown, light


def _bare_tree(rng: np.random.Generator) -> Texture:
    alpha = np.zeros(_TREE_HW, np.uint8)
    branches = [(160.0, 383.0, -np.pi / 2, 120.0, 11.0)]
    while branches:
        x, y, angle, length, thick = branches.pop()
        end_x, end_y = x + length * np.cos(angle), y + length * np.sin(angle)
        cv2.line(
            alpha,
            (int(x), int(y)),
            (int(end_x), int(end_y)),
            255,
            max(1, round(thick)),
            cv2.LINE_AA,
        )
        if length < 12:
            continue
        for _ in range(3):
            turn = rng.normal(0, 0.55)
            branches.append(
                (end_x, end_y, angle + turn, length * rng.uniform(0.5, 0.8), thick * 0.6)
            )
    rgb = np.full((*_TREE_HW, 3), (78, 68, 60), np.float32) * rng.uniform(0.7, 1.1)
    return premultiplied(rgb, alpha.astype(np.float32) / 255.0)


@lru_cache(maxsize=HEDGE_COUNT)
def hedge(index: int) -> Texture:
    """Make a wall of bushes with a ragged top, which tiles sideways.

    Args:
        index: 0 to HEDGE_COUNT - 1.

    Returns:
        192 rows, 512 columns.
    """
    size = (192, 512)
    rng = texture_generator(5, index)
    coarse = noise_tile(50 + index % 2, size, (3, 8), 5)
    leaves = noise_tile(52 + index % 2, size, (24, 64), 3)
    top = 52 + 26 * coarse[96] + 8 * leaves[40]
    rows = np.arange(192, dtype=np.float32)[:, None]
    alpha = np.clip((rows - top[None] + 5 * leaves) / 4, 0, 1)
    hues = [(58, 70, 36), (44, 56, 34), (80, 84, 48), (72, 70, 44), (50, 66, 44), (88, 80, 56)]
    green = np.array(hues[index % 6], np.float32) * rng.uniform(0.8, 1.1)
    glitter = noise_tile(54, size, (80, 220), 2)
    shade = (
        0.9 + 0.3 * coarse + 0.3 * leaves + 0.3 * glitter - 0.5 * np.clip((rows - 90) / 100, 0, 1)
    )
    return premultiplied(green * np.clip(shade, 0.1, 2)[..., None], alpha.astype(np.float32))
