"""What a synthetic street consists of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stseg_ros.datasets.synthetic.camera import Camera, RoadView
from stseg_ros.datasets.synthetic.look import Look
from stseg_ros.datasets.synthetic.props import Prop
from stseg_ros.datasets.synthetic.road import RoadProfile
from stseg_ros.datasets.synthetic.scenery import Tree, Wall
from stseg_ros.datasets.synthetic.traffic import VehicleLook


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle on or beside the road.

    Attributes:
        look: body and paint.
        s_m: place along the road at time 0.
        l_m: offset from the centre line.
        yaw_rad: direction against the road's.
        speed_mps: speed along the road, negative against the camera's direction.
        surge_m: how far it drops back and catches up, slowly.
    """

    look: VehicleLook
    s_m: float
    l_m: float
    yaw_rad: float
    speed_mps: float = 0.0
    surge_m: float = 0.0

    def s_at(self, time_s: float) -> float:
        """Return its place along the road at a time."""
        return self.s_m + self.speed_mps * time_s + self.surge_m * float(np.sin(0.4 * time_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that a drive can see; time 0 starts at s = 0."""

    camera: Camera
    look: Look
    profile: RoadProfile
    ego_l_m: float
    heading_rad: float
    curvature: tuple[float, float, float, float]
    ego_mps: float
    bonnet: float
    walls: tuple[Wall, ...] = ()
    trees: tuple[Tree, ...] = ()
    props: tuple[Prop, ...] = ()
    vehicles: tuple[Vehicle, ...] = ()

    def road(self, time_s: float) -> RoadView:
        """Return the road as the camera sees it at a time."""
        sway = 0.12 * np.sin(0.5 * time_s)
        return RoadView(
            ego_s_m=self.ego_mps * time_s,
            ego_l_m=self.ego_l_m + sway,
            heading_rad=self.heading_rad,
            curvature=self.curvature,
        )
