"""Painting what stands beside the road: houses, hedges, trees, the far skyline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stseg_ros.datasets.synthetic import textures
from stseg_ros.datasets.synthetic.camera import NEAR_M, Camera, Float64Array, RoadView
from stseg_ros.datasets.synthetic.canvas import Canvas, Paint, SceneClass
from stseg_ros.datasets.synthetic.colours import Rgb
from stseg_ros.datasets.synthetic.facades import facade
from stseg_ros.datasets.synthetic.noise import noise_tile
from stseg_ros.datasets.synthetic.pixels import repeated, times


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """A house front or a hedge along the road.

    Attributes:
        s0_m: where it begins along the road.
        s1_m: where it ends.
        l_m: its offset from the centre line.
        depth_m: how far it reaches away from the road; 0 paints no end wall.
        height_m: its height.
        texture: index of the house front, or of the hedge.
        hedge: whether it is a hedge.
        tint: RGB factors.
    """

    s0_m: float
    s1_m: float
    l_m: float
    depth_m: float
    height_m: float
    texture: int
    hedge: bool
    tint: Rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A tree that always faces the camera."""

    s_m: float
    l_m: float
    height_m: float
    texture: int
    tint: Rgb


def paint_wall(canvas: Canvas, camera: Camera, road: RoadView, wall: Wall) -> None:
    """Paint a house front or hedge and, if it has depth, the end wall that faces the camera."""
    texture = textures.hedge(wall.texture) if wall.hedge else facade(wall.texture)
    scene_class = SceneClass.VEGETATION if wall.hedge else SceneClass.BUILDING
    x0, z0, _ = road.place(wall.s0_m, wall.l_m)
    x1, z1, _ = road.place(wall.s1_m, wall.l_m)
    if z1 < NEAR_M + 1.5:
        return
    ends = np.array([[x0, z0], [x1, z1]])
    if wall.depth_m > 0 and z0 > NEAR_M:
        _end_wall(canvas, camera, wall, ends[0], texture)
    begin = 0.0
    if z0 < NEAR_M + 0.6:
        begin = (NEAR_M + 0.6 - z0) / (z1 - z0)
        ends[0] += begin * (ends[1] - ends[0])
    along = ends[1] - ends[0]
    sign = 1.0 if wall.l_m > 0 else -1.0
    normal = np.array([-sign * along[1], 0.0, sign * along[0]]) / np.linalg.norm(along)
    base = camera.height_m
    corners = np.array(
        [
            [ends[0][0], base - wall.height_m, ends[0][1]],
            [ends[1][0], base - wall.height_m, ends[1][1]],
            [ends[1][0], base, ends[1][1]],
            [ends[0][0], base, ends[0][1]],
        ]
    )
    source = np.array([[begin, 0], [1, 0], [1, 1], [begin, 1]], np.float64)
    light = canvas.look.light_on(normal) / 190.0 * wall.tint
    paint = Paint(scene_class=scene_class, depth_m=float(ends.mean(axis=0)[1]))
    canvas.textured_quad(texture, source, camera.project(corners), light, paint)


def _end_wall(
    canvas: Canvas, camera: Camera, wall: Wall, foot_xz: Float64Array, texture: textures.Texture
) -> None:
    sign = 1.0 if wall.l_m > 0 else -1.0
    x0, x1 = foot_xz[0], foot_xz[0] + sign * wall.depth_m
    z, base = float(foot_xz[1]), camera.height_m
    corners = np.array(
        [
            [x0, base - wall.height_m, z],
            [x1, base - wall.height_m, z],
            [x1, base, z],
            [x0, base, z],
        ]
    )
    share = 0.5 if wall.height_m > 5 else 1.0
    source = np.array([[0, 0], [share, 0], [share, 1], [0, 1]], np.float64)
    light = canvas.look.light_on(np.array([0.0, 0.0, -1.0])) / 190.0 * wall.tint
    scene_class = SceneClass.VEGETATION if wall.hedge else SceneClass.BUILDING
    canvas.textured_quad(
        texture, source, camera.project(corners), light, Paint(scene_class=scene_class, depth_m=z)
    )


def paint_tree(canvas: Canvas, camera: Camera, road: RoadView, tree: Tree) -> None:
    """Paint a tree as an upright picture."""
    x, z, _ = road.place(tree.s_m, tree.l_m)
    if z < 2.5:
        return
    texture = textures.tree(tree.texture)
    half = tree.height_m * textures.TREE_ASPECT / 2
    base = camera.height_m
    corners = np.array(
        [
            [x - half, base - tree.height_m, z],
            [x + half, base - tree.height_m, z],
            [x + half, base, z],
            [x - half, base, z],
        ]
    )
    source = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    light = canvas.look.light_on(np.array([0.0, -0.5, -0.866])) / 160.0 * tree.tint
    paint = Paint(scene_class=SceneClass.VEGETATION, depth_m=z)
    canvas.textured_quad(texture, source, camera.project(corners), light, paint)


def paint_skyline(canvas: Canvas, horizon_row: int, pattern: int, shift_px: int) -> None:
    """Paint far woods and roofs along the horizon.

    Args:
        canvas: painted with sky so far.
        horizon_row: row of the horizon.
        pattern: which skyline.
        shift_px: sideways position.
    """
    height, width = canvas.size_hw
    noise = noise_tile(70 + pattern % 4, (8, 2048), (1, 12), 6)[4]
    heights = np.roll(noise, shift_px)[np.arange(width) * 1280 // max(width, 1280) % 2048]
    tall = np.clip((0.028 + 0.016 * heights) * height, 1, 180)
    top = max(0, horizon_row - int(tall.max()) - 1)
    if top >= min(horizon_row + 1, height):
        return
    rows = np.arange(top, min(horizon_row + 2, height), dtype=np.float32)[:, None]
    alpha = np.rint(np.clip(rows - (horizon_row - tall) + 0.5, 0, 1) * 255).astype(np.uint8)
    leaves = textures.hedge(pattern % textures.HEDGE_COUNT).at_size(np.array([512.0, 192.0]))
    strip = np.take(leaves[192 - len(rows) :, :, :3], np.arange(width) % 512, axis=1)
    rgb = times(np.ascontiguousarray(strip), repeated(alpha), 255.0)
    canvas.put(rgb, alpha, (0, top), Paint(scene_class=SceneClass.VEGETATION, depth_m=260.0))
