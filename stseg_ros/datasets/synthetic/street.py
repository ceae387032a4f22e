"""Drawing up a synthetic street: its weather, camera, road, surroundings and traffic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stseg_ros.datasets.synthetic.camera import Camera
from stseg_ros.datasets.synthetic.flow import draw_traffic
from stseg_ros.datasets.synthetic.look import random_look
from stseg_ros.datasets.synthetic.road import RoadProfile
from stseg_ros.datasets.synthetic.roadside import draw_props, draw_roadside
from stseg_ros.datasets.synthetic.world import World

_SPEEDS_MPS = {'town': 9.0, 'suburb': 11.0, 'avenue': 13.0, 'highway': 24.0}
_STYLE_SHARES = (0.36, 0.26, 0.2, 0.18)


def random_world(
    seed: int, size_hw: tuple[int, int], *, length_m: float, duration_s: float
) -> World:
    """Draw a street.

    Args:
        seed: same seed, same street.
        size_hw: image size in pixels.
        length_m: how far along the road there is scenery.
        duration_s: how long the camera will drive; oncoming traffic is drawn up for that time.
    """
    rng = np.random.default_rng([seed, 1])
    style = str(rng.choice(list(_SPEEDS_MPS), p=_STYLE_SHARES))
    look = random_look(rng)
    camera = _random_camera(rng, size_hw)
    profile = _random_profile(rng, style)
    lane = profile.lanes - 1 if rng.random() < 0.6 else int(rng.integers(profile.lanes))
    ego_l = profile.side * (lane + 0.5) * profile.lane_m + rng.uniform(-0.3, 0.3)
    bend = float(np.clip(rng.normal(0, 0.0012), -0.003, 0.003))
    speed = _SPEEDS_MPS[style] * rng.uniform(0.85, 1.15)
    world = World(
        camera=camera,
        look=look,
        profile=profile,
        ego_l_m=ego_l,
        heading_rad=float(rng.normal(0, 0.012)),
        curvature=(bend, rng.uniform(0, 0.0012), rng.uniform(0.01, 0.03), rng.uniform(0, 6.28)),
        ego_mps=speed,
        bonnet=rng.uniform(0.03, 0.1) if rng.random() < 0.22 else 0.0,
    )
    walls, trees = draw_roadside(rng, style, profile, length_m)
    props = draw_props(rng, style, profile, length_m)
    if duration_s > 0:
        # People who stand on the road are good for single scenes, but a drive would run them over.
        props = [prop for prop in props if abs(prop.l_m) > profile.half_width_m]
    world = replace(world, walls=walls, trees=trees, props=tuple(props))
    return replace(world, vehicles=draw_traffic(rng, world, style, length_m, duration_s))


def _random_camera(rng: np.random.Generator, size_hw: tuple[int, int]) -> Camera:
    height, width = size_hw
    # Very wide pictures, such as KITTI's, are cut from wide-angle cameras.
    focal = width * (rng.uniform(0.58, 1.0) if width < 2.2 * height else rng.uniform(0.5, 0.72))
    horizon = height * rng.uniform(0.40, 0.56)
    return Camera(
        size_hw=size_hw,
        focal_px=float(focal),
        centre_xy=(width * rng.uniform(0.47, 0.53), float(horizon)),
        height_m=rng.uniform(1.2, 1.75),
    )


def _random_profile(rng: np.random.Generator, style: str) -> RoadProfile:
    highway = style == 'highway'
    lanes = int(rng.integers(2, 5) if highway else rng.choice([1, 2], p=[0.7, 0.3]))
    lane = rng.uniform(3.4, 3.8) if highway else rng.uniform(2.9, 3.5)
    parking = 2.2 if style in {'town', 'suburb'} and rng.random() < 0.75 else rng.uniform(0.3, 0.8)
    pavement = 0.0 if highway else rng.uniform(1.5, 4.0)
    verge = {'town': 'paving', 'highway': 'gravel'}.get(style, 'grass')
    wall = 0.0
    if style == 'town' and rng.random() < 0.5:
        wall = float(rng.uniform(2, 8) * rng.choice([-1, 1]))
    return RoadProfile(
        half_width_m=lanes * lane + parking,
        lane_m=lane,
        lanes=lanes,
        pavement_m=pavement,
        verge=verge,
        side=int(rng.choice([-1, 1])),
        dashes=int(rng.choice([0, 4, 6, 8])),
        edge_lines=highway or rng.random() < 0.35,
        asphalt=rng.uniform(0.15, 0.36),
        shade_trees=rng.uniform(0, 1) if not highway else 0.0,
        shade_wall_m=wall,
    )
