"""Rendering one frame of a synthetic street, far to near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.camera import RoadView
from stseg_ros.datasets.synthetic.canvas import Canvas, SceneClass
from stseg_ros.datasets.synthetic.ground import Ground
from stseg_ros.datasets.synthetic.photo import develop, paint_sky
from stseg_ros.datasets.synthetic.props import paint_prop
from stseg_ros.datasets.synthetic.scenery import paint_skyline, paint_tree, paint_wall
from stseg_ros.datasets.synthetic.traffic import Placement, paint_shadow, paint_vehicle
from stseg_ros.datasets.synthetic.world import Vehicle, World
from stseg_ros.records import UInt8Array

_SCENERY_M = 230.0
_VEHICLES_M = 220.0
_PROPS_M = 110.0
# The object map has 8 bits, and 0 is no vehicle.
_MOST_VEHICLES = 255

_Job = tuple[float, Callable[[], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleRecord:
    """One visible vehicle.

    Attributes:
        kind: body kind, such as 'saloon' or 'lorry'.
        scene_class: class of its pixels.
        depth_m: distance ahead of the camera.
        visible_pixels: number of its pixels that nothing hides.
        visible_box_xyxy: half-open box of those pixels.
    """

    kind: str
    scene_class: SceneClass
    depth_m: float
    visible_pixels: int
    visible_box_xyxy: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A rendered frame: (H, W, 3) uint8 RGB, (H, W) uint8 train ids, the vehicles far to near."""

    image_hwc: UInt8Array
    class_hw: UInt8Array
    vehicles: tuple[VehicleRecord, ...]


class SceneRenderer:
    """Renders the frames of one street."""

    def __init__(self, world: World, seed: int) -> None:
        """Prepare the ground.

        Args:
            world: the street.
            seed: seeds the ground's wear and the camera's noise.
        """
        self._world = world
        self._seed = seed
        self._ground = Ground(world.profile, world.look, np.random.default_rng([seed, 2]))

    def render(self, frame: int, time_s: float) -> Picture:
        """Render the frame of a time.

        Args:
            frame: number of the frame; seeds its noise.
            time_s: seconds since the drive began.
        """
        world = self._world
        road = world.road(time_s)
        canvas = Canvas(world.camera.size_hw, world.look)
        horizon, turn_px = round(world.camera.centre_xy[1]), int(900 * road.slope(80.0))
        paint_sky(canvas.image_hwc, horizon, world.look, turn_px)
        paint_skyline(canvas, horizon, self._seed, turn_px)
        self._ground.paint(canvas, world.camera, road)
        traffic = self._traffic(road, time_s)
        for vehicle, place in traffic:
            paint_shadow(canvas, world.camera, vehicle.look, place)
        jobs: list[_Job] = [
            (place.z_m, partial(paint_vehicle, canvas, world.camera, vehicle.look, place, number))
            for number, (vehicle, place) in enumerate(traffic, start=1)
        ]
        jobs += self._scenery_jobs(canvas, road, time_s)
        for _, job in sorted(jobs, key=lambda item: -item[0]):
            job()
        self._paint_bonnet(canvas)
        image = develop(
            canvas.image_hwc, world.look, np.random.default_rng([self._seed, 3, frame])
        )
        return Picture(
            image_hwc=image, class_hw=canvas.class_hw, vehicles=_records(canvas, traffic)
        )

    def _traffic(self, road: RoadView, time_s: float) -> list[tuple[Vehicle, Placement]]:
        placed = []
        for vehicle in self._world.vehicles:
            s = vehicle.s_at(time_s)
            x, z, slope = road.place(s, vehicle.l_m)
            if -6.0 < z < _VEHICLES_M:
                shade = self._ground.shade_at(s, vehicle.l_m)
                yaw = vehicle.yaw_rad + slope
                placed.append((vehicle, Placement(x_m=x, z_m=z, yaw_rad=yaw, shade=shade)))
        placed.sort(key=lambda item: -item[1].z_m)
        return placed[-_MOST_VEHICLES:]

    def _scenery_jobs(self, canvas: Canvas, road: RoadView, time_s: float) -> list[_Job]:
        world, ego = self._world, road.ego_s_m
        jobs: list[_Job] = [
            # Walls stand behind whatever is beside them, so they go by their far end.
            (wall.s1_m - ego, partial(paint_wall, canvas, world.camera, road, wall))
            for wall in world.walls
            if wall.s1_m > ego and wall.s0_m < ego + _SCENERY_M
        ]
        jobs += [
            (tree.s_m - ego, partial(paint_tree, canvas, world.camera, road, tree))
            for tree in world.trees
            if 0 < tree.s_m - ego < _SCENERY_M
        ]
        for prop in world.props:
            ahead = prop.s_m + prop.walks_mps * time_s - ego
            if 0 < ahead < _PROPS_M:
                shade = self._ground.shade_at(prop.s_m, prop.l_m)
                job = partial(paint_prop, canvas, world.camera, road, prop, time_s, shade)
                jobs.append((ahead, job))
        return jobs

    def _paint_bonnet(self, canvas: Canvas) -> None:
        share = self._world.bonnet
        if not share:
            return
        height, width = canvas.size_hw
        x = np.linspace(-1, 1, 41)
        edge = height * (1 - share * (1 - 0.5 * x**2) + 0.0)
        points = np.column_stack([(x + 1) / 2 * width, edge])
        outline = np.concatenate([points, [[width + 9, height + 9], [-9, height + 9]]]).astype(
            np.int32
        )
        area = np.zeros((height, width), np.uint8)
        cv2.fillPoly(area, [outline], 255)
        inside = area > 0
        top = int(edge.min())
        shade = np.linspace(70, 18, max(1, height - top)).astype(np.uint8)[:, None, None]
        region = canvas.image_hwc[top:]
        canvas.image_hwc[top:] = np.where(
            inside[top:, :, None], np.broadcast_to(shade, region.shape), region
        )
        canvas.class_hw[inside] = int(SceneClass.IGNORE)
        canvas.object_hw[inside] = 0


def _records(
    canvas: Canvas, traffic: list[tuple[Vehicle, Placement]]
) -> tuple[VehicleRecord, ...]:
    records = []
    for number, (vehicle, place) in enumerate(traffic, start=1):
        count, box_xyxy = canvas.visible_pixels(number)
        if count:
            record = VehicleRecord(
                kind=vehicle.look.kind,
                scene_class=vehicle.look.scene_class,
                depth_m=place.z_m,
                visible_pixels=count,
                visible_box_xyxy=box_xyxy,
            )
            records.append(record)
    return tuple(records)
