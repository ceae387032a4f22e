"""What the synthetic scenes are painted on, far to near: image, class map and object map."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.datasets.synthetic.camera import Float64Array
from stseg_ros.datasets.synthetic.look import Look
from stseg_ros.datasets.synthetic.pixels import laid_over, repeated, split_rgba, times, times_rgb
from stseg_ros.datasets.synthetic.textures import Texture
from stseg_ros.records import UInt8Array

_FIXED_POINT_BITS = 4
_PATCH_LIMIT = 16000
_TO_TOP_LEFT = np.ones((2, 2), np.uint8)
GAMMA = 0.68


class SceneClass(IntEnum):
    """Classes of the scene under the train ids that Cityscapes and BDD100K share."""

    ROAD = 0
    SIDEWALK = 1
    BUILDING = 2
    WALL = 3
    FENCE = 4
    POLE = 5
    TRAFFIC_LIGHT = 6
    TRAFFIC_SIGN = 7
    VEGETATION = 8
    TERRAIN = 9
    SKY = 10
    PERSON = 11
    CAR = 13
    TRUCK = 14
    BUS = 15
    IGNORE = 255


VEHICLE_CLASSES = (SceneClass.CAR, SceneClass.TRUCK, SceneClass.BUS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paint:
    """How one object is put on the canvas.

    Attributes:
        scene_class: class of its pixels.
        object_id: 1-based number of a vehicle, 0 for everything else.
        depth_m: distance, for haze.
    """

    scene_class: SceneClass
    object_id: int = 0
    depth_m: float


class Canvas:
    """An RGB image with the class and the vehicle of every pixel.

    Objects come far to near. A pixel belongs to the last object that covers at least half of it.
    """

    def __init__(self, size_hw: tuple[int, int], look: Look) -> None:
        """Start with sky everywhere."""
        self.size_hw = size_hw
        self.look = look
        self.image_hwc: UInt8Array = np.zeros((*size_hw, 3), np.uint8)
        self.class_hw: UInt8Array = np.full(size_hw, SceneClass.SKY, np.uint8)
        self.object_hw: UInt8Array = np.zeros(size_hw, np.uint8)
        self._regions: dict[int, tuple[slice, slice]] = {}

    def polygons(
        self,
        corners_xy: Float64Array,
        counts: npt.NDArray[np.intp],
        colours: Float64Array,
        paint: Paint,
        *,
        gloss: UInt8Array | None = None,
    ) -> None:
        """Paint convex polygons of one object, in order.

        Args:
            corners_xy: (V, 2) image coordinates, the polygons' corners one after another.
            counts: (F,) how many corners each polygon has.
            colours: (F, 3) RGB light in grey levels; the display's gamma comes on top.
            paint: class, number and distance.
            gloss: uint8 RGB tile around 128 that modulates the brightness, or None.
        """
        box = self._visible_box(corners_xy)
        if box is None:
            return
        x0, y0, x1, y1 = box
        full_height = float(np.ptp(corners_xy[:, 1]))
        scale = 2 if full_height > 90 else (4 if full_height > 24 else 8)
        shades = np.full((len(counts), 4), 255.0)
        shades[:, :3] = 255.0 * np.clip(colours / 255.0, 0, 1) ** GAMMA
        patch = _filled((corners_xy - (x0, y0)) * scale, counts, shades, (y1 - y0, x1 - x0), scale)
        small = cv2.resize(patch, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        rgb, alpha = split_rgba(np.asarray(small, dtype=np.uint8))
        if gloss is not None and full_height > 30:
            rgb = _modulate(rgb, gloss)
        self.put(rgb, alpha, (x0, y0), paint)

    def textured_quad(
        self,
        texture: Texture,
        source_xy: Float64Array,
        target_xy: Float64Array,
        light: Float64Array,
        paint: Paint,
    ) -> None:
        """Paint a texture on a quadrilateral in perspective.

        Args:
            texture: what to paint.
            source_xy: (4, 2) corners in the texture, as shares of its width and height.
            target_xy: (4, 2) corners in the image.
            light: (3,) factor on the texture's colours.
            paint: class, number and distance.
        """
        box = self._visible_box(target_xy)
        if box is None:
            return
        x0, y0, x1, y1 = box
        texture_hwc = texture.at_size(np.ptp(target_xy, axis=0) / np.ptp(source_xy, axis=0))
        tall, wide = texture_hwc.shape[:2]
        to_image = cv2.getPerspectiveTransform(
            (source_xy * (wide, tall) - 0.5).astype(np.float32),
            (target_xy - (x0 + 0.5, y0 + 0.5)).astype(np.float32),
        )
        patch = cv2.warpPerspective(
            texture_hwc, to_image, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR
        )
        rgb, alpha = split_rgba(np.asarray(patch, dtype=np.uint8))
        self.put(times_rgb(rgb, np.clip(light, 0, 4).tolist()), alpha, (x0, y0), paint)

    def put(
        self, rgb_hwc: UInt8Array, alpha_hw: UInt8Array, corner_xy: tuple[int, int], paint: Paint
    ) -> None:
        """Lay a premultiplied patch, which lies within the image, over the canvas."""
        x0, y0 = corner_xy
        rows, cols = slice(y0, y0 + alpha_hw.shape[0]), slice(x0, x0 + alpha_hw.shape[1])
        alpha = repeated(alpha_hw)
        clear = self.look.clearness(paint.depth_m)
        if clear < 0.985:
            haze = (np.minimum(self.look.horizon, 255) * (1 - clear) / 255.0).tolist()
            veil = times_rgb(alpha, haze)
            veiled = cv2.addWeighted(rgb_hwc, clear, veil, 1.0, 0.0)
            rgb_hwc = np.asarray(veiled, dtype=np.uint8)
        self.image_hwc[rows, cols] = laid_over(self.image_hwc[rows, cols], rgb_hwc, alpha)
        covered = alpha_hw >= 128
        np.copyto(self.class_hw[rows, cols], np.uint8(paint.scene_class), where=covered)
        np.copyto(self.object_hw[rows, cols], np.uint8(paint.object_id), where=covered)
        if paint.object_id:
            self._regions[paint.object_id] = (rows, cols)

    def visible_pixels(self, object_id: int) -> tuple[int, tuple[int, int, int, int]]:
        """Return how many pixels of a vehicle are left, and their half-open xyxy box."""
        if object_id not in self._regions:
            return 0, (0, 0, 0, 0)
        rows, cols = self._regions[object_id]
        mine = (self.object_hw[rows, cols] == object_id).view(np.uint8)
        x, y, width, height = cv2.boundingRect(mine)
        x, y = x + cols.start, y + rows.start
        return int(np.count_nonzero(mine)), (x, y, x + width, y + height)

    def darken(self, polygon_xy: Float64Array, strength: float, soft_px: float) -> None:
        """Darken what is already painted inside a polygon: a soft shadow on the ground.

        Args:
            polygon_xy: (N, 2) convex, image coordinates.
            strength: 0 leaves the ground as it is, 1 makes it black.
            soft_px: standard deviation of the shadow's edge.
        """
        margin = 2.5 * soft_px + 1
        low, high = polygon_xy.min(axis=0) - margin, polygon_xy.max(axis=0) + margin
        box = self._visible_box(np.array([low, high]))
        if box is None:
            return
        x0, y0, x1, y1 = box
        step = 1 << max(0, int(np.log2(max(soft_px, 1.0) / 1.2)))
        rows, columns = max(1, (y1 - y0) // step), max(1, (x1 - x0) // step)
        shade: UInt8Array = np.zeros((rows, columns), np.uint8)
        scaled = np.clip((polygon_xy - (x0, y0)) / step - 0.5, -_PATCH_LIMIT, _PATCH_LIMIT)
        points = np.rint(scaled * (1 << _FIXED_POINT_BITS)).astype(np.int32)
        cv2.fillConvexPoly(shade, points, 255.0 * strength, cv2.LINE_AA, _FIXED_POINT_BITS)
        if soft_px > 0.4:
            shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), soft_px / step), dtype=np.uint8)
        full = cv2.resize(shade, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        keep = repeated(np.asarray(cv2.bitwise_not(full), dtype=np.uint8))
        self.image_hwc[y0:y1, x0:x1] = times(self.image_hwc[y0:y1, x0:x1], keep, 255.0)

    def _visible_box(self, points_xy: Float64Array) -> tuple[int, int, int, int] | None:
        height, width = self.size_hw
        low = np.floor(points_xy.min(axis=0)).astype(int) - 1
        high = np.ceil(points_xy.max(axis=0)).astype(int) + 1
        x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
        x1, y1 = min(width, int(high[0])), min(height, int(high[1]))
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _filled(
    corners_xy: Float64Array,
    counts: npt.NDArray[np.intp],
    shades: Float64Array,
    size_hw: tuple[int, int],
    scale: int,
) -> UInt8Array:
    """Fill polygons, given in enlarged pixels, into a patch that is `scale` times `size_hw`."""
    patch = np.zeros((size_hw[0] * scale, size_hw[1] * scale, 4), np.uint8)
    # Polygons outside the patch are kept within the range of OpenCV's fixed-point numbers.
    kept = np.clip(corners_xy, -_PATCH_LIMIT, _PATCH_LIMIT)
    points = np.rint(kept * (1 << _FIXED_POINT_BITS)).astype(np.int32)
    start = 0
    for count, shade in zip(counts.tolist(), shades.tolist(), strict=True):
        polygon = points[start : start + count]
        cv2.fillConvexPoly(patch, polygon, shade, cv2.LINE_8, _FIXED_POINT_BITS)
        start += count
    # OpenCV counts from pixel centres, image coordinates from pixel edges, and OpenCV fills half a
    # pixel too much on every side. Taking away the last row and column mends both: then a pixel
    # is filled where its centre is inside.
    alpha = cv2.erode(cv2.extractChannel(patch, 3), _TO_TOP_LEFT, anchor=(0, 0))
    return np.asarray(cv2.bitwise_and(patch, patch, mask=alpha), dtype=np.uint8)


def _modulate(rgb_hwc: UInt8Array, gloss: UInt8Array) -> UInt8Array:
    height, width = rgb_hwc.shape[:2]
    pattern = cv2.resize(gloss, (width, height), interpolation=cv2.INTER_LINEAR)
    return times(rgb_hwc, np.asarray(pattern, dtype=np.uint8), 128.0)
