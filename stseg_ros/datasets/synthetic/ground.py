"""The ground of the synthetic scenes in perspective."""

from __future__ import annotations

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.camera import NEAR_M, Camera, Float64Array, RoadView
from stseg_ros.datasets.synthetic.canvas import Canvas, SceneClass
from stseg_ros.datasets.synthetic.look import Look
from stseg_ros.datasets.synthetic.noise import noise_tile
from stseg_ros.datasets.synthetic.pixels import repeated, times
from stseg_ros.datasets.synthetic.road import (
    HALF_COLS,
    PERIOD_M,
    ROWS,
    RoadPicture,
    RoadProfile,
    column_of,
    columns_of,
)
from stseg_ros.records import Float32Array, UInt8Array

_LEVELS = 7


class Ground:
    """One scene's ground, painted once from above and then seen by every frame."""

    def __init__(self, profile: RoadProfile, look: Look, rng: np.random.Generator) -> None:
        """Paint the ground from above.

        Args:
            profile: what lies where.
            look: light.
            rng: source of randomness.
        """
        self._profile = profile
        picture = RoadPicture(profile, look, rng)
        self._shadow_hw = picture.shadow_hw
        level = picture.image_hwc
        # Distances along shrink with the square of the depth, distances across with the depth.
        self._levels: list[UInt8Array] = [level]
        for i in range(1, _LEVELS):
            size = (max(32, 2 * HALF_COLS >> max(0, i - 2)), max(4, ROWS >> i))
            level = np.asarray(cv2.resize(level, size, interpolation=cv2.INTER_AREA), np.uint8)
            self._levels.append(level)

    def shade_at(self, s_m: float, l_m: float) -> float:
        """Return how dark the cast shadows are at a place, 0 for full light."""
        row = int(s_m / PERIOD_M * ROWS) % ROWS
        column = min(max(column_of(l_m), 4), 2 * HALF_COLS - 5)
        around = self._shadow_hw[max(0, row - 12) : row + 13, column - 4 : column + 5]
        return float(around.mean())

    def paint(self, canvas: Canvas, camera: Camera, road: RoadView) -> None:
        """Paint the ground below the horizon, with classes."""
        height, width = canvas.size_hw
        first = max(0, int(np.ceil(camera.centre_xy[1] + 0.5)))
        rows = np.arange(first, height)
        if not len(rows):
            return
        below = rows + 0.5 - camera.centre_xy[1]
        depth = camera.focal_px * camera.height_m / below
        z: Float64Array = np.asarray(np.clip(depth, NEAR_M, 300.0), dtype=np.float64)
        footprint = z**2 / (camera.focal_px * camera.height_m)
        fineness = np.log2(np.maximum(footprint * ROWS / PERIOD_M, 1.0)) + 0.3
        level = np.clip(np.floor(fineness), 0, _LEVELS - 1).astype(int)
        lateral = self._lateral(camera, road, z, width)
        column = columns_of(lateral)
        along = ((z + road.ego_s_m) / PERIOD_M) % 1.0
        for step in np.unique(level):
            band = np.flatnonzero(level == step)
            texture = self._levels[step]
            tall, wide = texture.shape[:2]
            # A second copy of the first row lets the bilinear sampling run over the period's end.
            looped = np.vstack([texture, texture[:1]])
            map_x = column[band] * np.float32(wide / (2 * HALF_COLS)) - np.float32(0.5)
            map_y = np.repeat((along[band] * tall).astype(np.float32)[:, None], width, axis=1)
            out = slice(first + band[0], first + band[-1] + 1)
            canvas.image_hwc[out] = cv2.remap(
                looped, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        self._add_grain(canvas, first, lateral, z, road)
        self._haze(canvas, first, z)
        self._classify(canvas, first, lateral)

    @staticmethod
    def _lateral(camera: Camera, road: RoadView, z: Float64Array, width: int) -> Float32Array:
        per_px = (z / camera.focal_px).astype(np.float32)[:, None]
        start = (0.5 - camera.centre_xy[0]) * z / camera.focal_px - road.centre_x(z)
        across = per_px * np.arange(width, dtype=np.float32)
        return np.asarray(start.astype(np.float32)[:, None] + across, dtype=np.float32)

    def _add_grain(
        self, canvas: Canvas, first: int, lateral: Float32Array, z: Float64Array, road: RoadView
    ) -> None:
        near = np.flatnonzero(z < 14.0)
        if not len(near):
            return
        rows = slice(near[0], near[-1] + 1)
        noise = noise_tile(12, (512, 512), (256, 256), 2)
        grain = np.clip(128 + 9 * noise, 0, 255).astype(np.uint8)
        map_x = (lateral[rows] * np.float32(90.0)) % np.float32(511.0)
        along = (((z[rows] + road.ego_s_m) * 45.0) % 511.0).astype(np.float32)
        map_y = np.repeat(along[:, None], canvas.size_hw[1], axis=1)
        pattern = cv2.remap(grain, map_x, map_y, cv2.INTER_LINEAR)
        out = slice(first + rows.start, first + rows.stop)
        gain = repeated(np.asarray(pattern, dtype=np.uint8))
        canvas.image_hwc[out] = times(canvas.image_hwc[out], gain, 128.0)

    @staticmethod
    def _haze(canvas: Canvas, first: int, z: Float64Array) -> None:
        clear = np.exp(-z / canvas.look.haze_m)
        far = np.flatnonzero(clear < 0.985)
        if len(far):
            rows = slice(first, first + far[-1] + 1)
            weight = clear[: far[-1] + 1, None, None]
            region = canvas.image_hwc[rows] * weight.astype(np.float32)
            veil = (np.minimum(canvas.look.horizon, 255) * (1 - weight)).astype(np.float32)
            canvas.image_hwc[rows] = np.clip(region + veil, 0, 255).astype(np.uint8)

    def _classify(self, canvas: Canvas, first: int, lateral: Float32Array) -> None:
        profile = self._profile
        distance = np.abs(lateral)
        outer = SceneClass.TERRAIN if profile.verge == 'grass' else SceneClass.SIDEWALK
        classes = np.full(distance.shape, int(outer), np.uint8)
        classes[distance < profile.half_width_m + profile.pavement_m] = int(SceneClass.SIDEWALK)
        classes[distance < profile.half_width_m] = int(SceneClass.ROAD)
        canvas.class_hw[first:] = classes
