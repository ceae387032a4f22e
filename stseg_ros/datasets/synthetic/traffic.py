"""Painting vehicles: light on their bodies, near-plane clipping, contact shadows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.datasets.synthetic.camera import NEAR_M, Camera, Float64Array, clip_near
from stseg_ros.datasets.synthetic.canvas import Canvas, Paint, SceneClass
from stseg_ros.datasets.synthetic.mesh import Material, VehicleMesh
from stseg_ros.datasets.synthetic.noise import noise_tile
from stseg_ros.datasets.synthetic.vehicles import footprint_corners, vehicle_mesh
from stseg_ros.records import UInt8Array

_CLASS_OF_KIND = {'lorry': SceneClass.TRUCK, 'bus': SceneClass.BUS}

# Share of light that a material returns, and how much of a mirror it is seen head-on.
_ALBEDO = {
    Material.GLASS: (0.06, 0.066, 0.07),
    Material.DARK: (0.09, 0.09, 0.095),
    Material.TYRE: (0.075, 0.075, 0.08),
    Material.RIM: (0.42, 0.42, 0.44),
    Material.TAIL_LAMP: (0.55, 0.05, 0.05),
    Material.HEAD_LAMP: (0.62, 0.64, 0.66),
    Material.PLATE: (0.80, 0.79, 0.70),
    Material.UNDERSIDE: (0.02, 0.02, 0.022),
    Material.REFLECTION: (0.24, 0.265, 0.29),
    Material.INTERIOR: (0.03, 0.03, 0.03),
    Material.SEAM: (0.025, 0.025, 0.025),
    Material.CHROME: (0.45, 0.45, 0.46),
}
_MIRROR = {
    Material.PAINT: 0.07,
    Material.GLASS: 0.19,
    Material.HEAD_LAMP: 0.25,
    Material.TAIL_LAMP: 0.1,
    Material.CHROME: 0.3,
    Material.INTERIOR: 0.16,
}

_REFLECTANCE = np.array([_ALBEDO.get(material, (0.0, 0.0, 0.0)) for material in Material])
_HEAD_ON = np.array([_MIRROR.get(material, 0.0) for material in Material])


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleLook:
    """What one vehicle looks like.

    Attributes:
        kind: one of vehicles.KINDS.
        variant: body variant of that kind.
        paint: RGB reflectance of the paint, 0 to 1.
        load: RGB reflectance of a lorry's box.
        braking: whether the brake lights are on.
        lamps_on: whether the head lamps are on.
    """

    kind: str
    variant: int
    paint: tuple[float, float, float]
    load: tuple[float, float, float]
    braking: bool
    lamps_on: bool

    @property
    def mesh(self) -> VehicleMesh:
        """The body."""
        return vehicle_mesh(self.kind, self.variant)

    @property
    def scene_class(self) -> SceneClass:
        """The class of its pixels; vans and pick-ups are cars, as in Cityscapes."""
        return _CLASS_OF_KIND.get(self.kind, SceneClass.CAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a vehicle is, in camera axes.

    Attributes:
        x_m: right of the camera.
        z_m: ahead of the camera.
        yaw_rad: direction it points, 0 away from the camera, positive to the right.
        shade: how deep it stands in cast shadow, 0 to 1.
    """

    x_m: float
    z_m: float
    yaw_rad: float
    shade: float = 0.0

    def to_camera(self, points_xyz: Float64Array, camera_height_m: float) -> Float64Array:
        """Turn vehicle coordinates, (N, 3), into camera coordinates."""
        sin, cos = np.sin(self.yaw_rad), np.cos(self.yaw_rad)
        forward, left, up = points_xyz[:, 0], points_xyz[:, 1], points_xyz[:, 2]
        return np.stack(
            [
                self.x_m + forward * sin - left * cos,
                camera_height_m - up,
                self.z_m + forward * cos + left * sin,
            ],
            axis=1,
        )


def paint_shadow(canvas: Canvas, camera: Camera, look: VehicleLook, place: Placement) -> None:
    """Darken the ground under and beside a vehicle."""
    size = look.mesh.size_lwh
    nearest = max(place.z_m - size[0] / 2, 2.0)
    soft = camera.focal_px * 0.05 / nearest
    for margin, strength, softness in ((0.10, 0.50, 3.0), (-0.12, 0.55, 1.3)):
        corners = footprint_corners(size, margin)
        ground = place.to_camera(np.column_stack([corners, np.zeros(4)]), camera.height_m)
        _darken(canvas, camera, ground, strength, soft * softness)
    sun = canvas.look.sun_xyz
    if canvas.look.shadow < 0.2 or place.shade > 0.4:
        return
    reach = -sun[[0, 2]] / max(-sun[1], 0.2) * size[2] * 0.8
    corners = place.to_camera(
        np.column_stack([footprint_corners(size, -0.1), np.zeros(4)]), camera.height_m
    )
    cast = np.concatenate([corners, corners + np.array([reach[0], 0.0, reach[1]])])
    _darken(canvas, camera, _hull_on_ground(cast), min(canvas.look.shadow, 0.75), soft)


def _darken(
    canvas: Canvas, camera: Camera, ground_xyz: Float64Array, strength: float, soft_px: float
) -> None:
    visible = clip_near(ground_xyz)
    if len(visible) >= 3:
        polygon = camera.project(visible)
        canvas.darken(polygon, strength, min(soft_px, 30.0))


def _hull_on_ground(points_xyz: Float64Array) -> Float64Array:
    order = cv2.convexHull(points_xyz[:, [0, 2]].astype(np.float32), returnPoints=False)
    return np.asarray(points_xyz[order[:, 0]], dtype=np.float64)


def paint_vehicle(
    canvas: Canvas, camera: Camera, look: VehicleLook, place: Placement, object_id: int
) -> None:
    """Paint a vehicle's body over what is already there."""
    mesh = look.mesh
    vertices = place.to_camera(mesh.vertices_xyz, camera.height_m)
    centroids = place.to_camera(mesh.centroids_xyz, camera.height_m)
    turn = Placement(x_m=0.0, z_m=0.0, yaw_rad=place.yaw_rad)
    normals = turn.to_camera(mesh.normals_xyz, 0.0)
    facing = np.einsum('ij,ij->i', normals, centroids) < 0
    # Discs and lamps of an edge-on side would only add slivers.
    if camera.focal_px * mesh.size_lwh[2] / max(place.z_m, 1.0) < 34:
        facing &= ~mesh.detail
    shown = np.flatnonzero(facing)
    shown = shown[_painting_order(mesh, shown, centroids)]
    colours = _face_colours(canvas, look, shown, normals[shown], centroids[shown], place.shade)
    paint = Paint(scene_class=look.scene_class, object_id=object_id, depth_m=max(place.z_m, 1.0))
    corners, counts = _visible_corners(mesh, vertices, shown)
    if len(corners):
        canvas.polygons(
            camera.project(corners),
            counts[counts > 0],
            colours[counts > 0],
            paint,
            gloss=_gloss(look.variant % 4),
        )


def _visible_corners(
    mesh: VehicleMesh, vertices: Float64Array, order: npt.NDArray[np.intp]
) -> tuple[Float64Array, npt.NDArray[np.intp]]:
    counts = np.diff(mesh.starts)[order]
    if float(vertices[:, 2].min()) >= NEAR_M:
        # Where each face's corners begin, repeated for each corner, plus the corner's own number.
        firsts = np.repeat(mesh.starts[order] - (np.cumsum(counts) - counts), counts)
        return vertices[firsts + np.arange(counts.sum())], counts
    clipped = [clip_near(vertices[mesh.starts[face] : mesh.starts[face + 1]]) for face in order]
    counts = np.array([len(corners) if len(corners) >= 3 else 0 for corners in clipped], np.intp)
    kept = [corners for corners in clipped if len(corners) >= 3]
    return (np.concatenate(kept) if kept else np.empty((0, 3))), counts


@lru_cache(maxsize=8)
def _gloss(variant: int) -> UInt8Array:
    tile = noise_tile(20 + variant, (128, 192), (5, 8), 5)
    level = np.clip(128 + 7 * tile, 0, 255).astype(np.uint8)
    return np.dstack([level] * 3)


def _painting_order(
    mesh: VehicleMesh, shown: npt.NDArray[np.intp], centroids: Float64Array
) -> npt.NDArray[np.intp]:
    depth = np.linalg.norm(centroids, axis=1)
    part = mesh.part.astype(np.float64)
    if mesh.sort_parts:
        for number in range(1, int(mesh.part.max()) + 1):
            chosen = mesh.part == number
            part[chosen] = 1.0 + 1.0 / (1.0 + depth[chosen].mean())
    return np.asarray(np.lexsort((-depth[shown], mesh.layer[shown], part[shown])), dtype=np.intp)


def _face_colours(
    canvas: Canvas,
    look: VehicleLook,
    shown: npt.NDArray[np.intp],
    normals: Float64Array,
    centroids: Float64Array,
    shade: float,
) -> Float64Array:
    mesh, weather = look.mesh, canvas.look
    reflectance = _REFLECTANCE.copy()
    reflectance[[Material.PAINT, Material.STRIPE, Material.LOAD]] = (
        look.paint,
        look.paint,
        look.load,
    )
    if look.braking:
        reflectance[Material.TAIL_LAMP] = (1.6, 0.22, 0.14)
    if look.lamps_on:
        reflectance[Material.HEAD_LAMP] = (2.4, 2.4, 2.2)
    material = mesh.material[shown]
    albedo = reflectance[material]
    view = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    along = np.einsum('ij,ij->i', view, normals)[:, None]
    mirrored = view - 2 * along * normals
    head_on = _HEAD_ON[material][:, None]
    glossy = head_on > 0
    fresnel = head_on + (1 - head_on) * glossy * (1 + along.clip(-1, 0)) ** 5
    light = weather.light_on(normals) * (1 - shade * 0.75)
    # The lower flanks see the road and the vehicle's own shadow instead of the sky.
    height_share = np.clip(mesh.centroids_xyz[shown, 2:3] / 0.9, 0.0, 1.0)
    light = light * (0.55 + 0.45 * height_share)
    mirror = weather.mirrored(mirrored) * (1 - 0.5 * shade)
    colours = albedo * light + fresnel * mirror
    glint = np.clip(mirrored @ weather.sun_xyz, 0, 1)[:, None] ** 60
    colours += glossy * glint * weather.sun * (1 - shade) * 0.9
    return np.asarray(colours, dtype=np.float64)
