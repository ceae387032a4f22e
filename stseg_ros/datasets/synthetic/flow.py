"""Drawing up the traffic of a synthetic street."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stseg_ros.datasets.synthetic.colours import BUS_PAINTS, LOAD_PAINTS, random_paint, to_rgb
from stseg_ros.datasets.synthetic.traffic import VehicleLook
from stseg_ros.datasets.synthetic.vehicles import VARIANTS_PER_KIND
from stseg_ros.datasets.synthetic.world import Vehicle, World

_KIND_SHARES = {
    'hatchback': 0.27,
    'saloon': 0.21,
    'estate': 0.12,
    'suv': 0.16,
    'van': 0.09,
    'minibus': 0.04,
    'pickup': 0.03,
    'lorry': 0.045,
    'bus': 0.035,
}


def draw_traffic(
    rng: np.random.Generator, world: World, style: str, length_m: float, duration_s: float
) -> tuple[Vehicle, ...]:
    """Draw the vehicles of a street, none overlapping another at time 0.

    Args:
        rng: source of randomness.
        world: the street without its traffic.
        style: kind of street.
        length_m: how far there is scenery.
        duration_s: how long the camera will drive.
    """
    vehicles: list[Vehicle] = []
    density = rng.uniform(0.25, 1.0)
    profile = world.profile
    for lane in range(profile.lanes):
        own = profile.side * (lane + 0.5) * profile.lane_m
        beside = abs(own - world.ego_l_m) > profile.lane_m / 2
        first = rng.uniform(-6, 25) if beside else rng.uniform(6, 38)
        ahead_mps = world.ego_mps
        if duration_s > 0 and beside:
            ahead_mps *= rng.uniform(0.85, 1.15)
            first -= max(ahead_mps - world.ego_mps, 0.0) * duration_s
        drawn_up = 190.0 + max(world.ego_mps - ahead_mps, 0.0) * duration_s
        queue = _lane(rng, world, own, first, drawn_up, density, ahead_mps)
        if duration_s > 0:
            # One rhythm for the whole lane, so that nobody runs into the car ahead.
            surge = rng.uniform(0.5, 2.5)
            queue = [replace(vehicle, surge_m=surge) for vehicle in queue]
        vehicles += queue
        speed = -world.ego_mps * rng.uniform(0.8, 1.1)
        reach = 190.0 + (world.ego_mps - speed) * duration_s
        vehicles += _lane(rng, world, -own, rng.uniform(-2, 25), reach, density, speed)
    if style in {'town', 'suburb'} and profile.half_width_m - profile.lanes * profile.lane_m > 1.9:
        vehicles += _parked(rng, world, length_m)
    if duration_s == 0 and rng.random() < 0.3:
        vehicles += _crossing(rng, world)
    if style != 'town' and rng.random() < 0.55:
        vehicles += _off_road(rng, world, length_m, duration_s)
    return tuple(_without_overlap(vehicles, world))


def _look(rng: np.random.Generator, world: World, *, parked: bool = False) -> VehicleLook:
    kinds, shares = list(_KIND_SHARES), np.array(list(_KIND_SHARES.values()))
    if parked:
        shares = np.where(np.isin(kinds, ['lorry', 'bus']), shares * 0.2, shares)
    kind = str(rng.choice(kinds, p=shares / shares.sum()))
    paint = random_paint(rng)
    if kind in {'van', 'lorry'} and rng.random() < 0.55:
        paint = np.array([0.84, 0.84, 0.83])
    if kind == 'bus':
        paint = np.array(BUS_PAINTS[int(rng.integers(len(BUS_PAINTS)))])
    paint = np.clip(paint * rng.uniform(0.85, 1.1) + rng.normal(0, 0.012, 3), 0.03, 0.9)
    load = np.array(LOAD_PAINTS[int(rng.choice(len(LOAD_PAINTS)))]) * rng.uniform(0.85, 1.05)
    return VehicleLook(
        kind=kind,
        variant=int(rng.integers(VARIANTS_PER_KIND)),
        paint=to_rgb(paint),
        load=to_rgb(load),
        braking=not parked and bool(rng.random() < 0.3),
        lamps_on=not parked and (world.look.lamps_on or bool(rng.random() < 0.1)),
    )


def _lane(
    rng: np.random.Generator,
    world: World,
    l_m: float,
    first: float,
    reach: float,
    density: float,
    speed: float,
) -> list[Vehicle]:
    vehicles: list[Vehicle] = []
    s = first
    while s < reach:
        look = _look(rng, world)
        length = look.mesh.size_lwh[0]
        vehicles.append(
            Vehicle(
                look=look,
                s_m=s + length / 2,
                l_m=l_m + rng.normal(0, 0.15),
                yaw_rad=(0.0 if speed > 0 else np.pi) + rng.normal(0, 0.015),
                speed_mps=speed,
            )
        )
        s += length + rng.uniform(2.5, 8) + rng.exponential(16.0 / density)
    return vehicles


def _parked(rng: np.random.Generator, world: World, length_m: float) -> list[Vehicle]:
    vehicles: list[Vehicle] = []
    for sign in (-1, 1):
        if rng.random() < 0.25:
            continue
        fill = rng.uniform(0.3, 0.97)
        angled = rng.random() < 0.12
        s = rng.uniform(-4, 6)
        while s < length_m:
            look = _look(rng, world, parked=True)
            length, width, _ = look.mesh.size_lwh
            along = width * 1.5 if angled else length
            if rng.random() < fill:
                turned = 0.0 if (sign == world.profile.side) != (rng.random() < 0.15) else np.pi
                yaw = turned + rng.normal(0, 0.025) + (sign * 0.9 if angled else 0.0)
                offset = world.profile.half_width_m - (
                    0.6 if angled else width / 2 + rng.uniform(0.05, 0.35)
                )
                vehicles.append(
                    Vehicle(look=look, s_m=s + along / 2, l_m=sign * offset, yaw_rad=yaw)
                )
            s += along + rng.uniform(0.5, 1.6)
    return vehicles


def _crossing(rng: np.random.Generator, world: World) -> list[Vehicle]:
    s = rng.uniform(8, 45)
    vehicles: list[Vehicle] = []
    for _ in range(int(rng.integers(1, 4))):
        direction = rng.choice([-1, 1])
        yaw = direction * (np.pi / 2 + rng.normal(0, 0.25))
        offset = rng.uniform(-1, 1) * world.profile.half_width_m * 1.2
        vehicles.append(
            Vehicle(
                look=_look(rng, world), s_m=s + direction * 1.8, l_m=float(offset), yaw_rad=yaw
            )
        )
    return vehicles


def _off_road(
    rng: np.random.Generator, world: World, length_m: float, duration_s: float
) -> list[Vehicle]:
    sign = int(rng.choice([-1, 1]))
    edge = world.profile.half_width_m + world.profile.pavement_m
    heading = rng.uniform(-np.pi, np.pi)
    vehicles: list[Vehicle] = []
    # A scene shows them near by, a drive all along.
    reach = length_m if duration_s > 0 else min(length_m, 80)
    for _ in range(int(rng.integers(2, 9) * reach / 80)):
        s = float(rng.uniform(5, reach))
        offset = sign * (edge + rng.uniform(1.6, 4.5))
        yaw = float(heading if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi))
        vehicles.append(
            Vehicle(look=_look(rng, world, parked=True), s_m=s, l_m=offset, yaw_rad=yaw)
        )
    return vehicles


def _without_overlap(vehicles: list[Vehicle], world: World) -> list[Vehicle]:
    kept: list[Vehicle] = []
    spots: list[tuple[float, float, float, float]] = []
    for vehicle in vehicles:
        length, width, _ = vehicle.look.mesh.size_lwh
        turn = abs(np.sin(vehicle.yaw_rad))
        half_s = (length * (1 - turn) + width * turn) / 2 + 0.2 + min(turn, 1 - turn) * 0.6
        half_l = (width * (1 - turn) + length * turn) / 2 + 0.1 + min(turn, 1 - turn) * 0.6
        inside_camera = (
            abs(vehicle.s_m) < half_s + 2.5 and abs(vehicle.l_m - world.ego_l_m) < half_l + 0.9
        )
        clash = any(
            abs(vehicle.s_m - s) < half_s + hs and abs(vehicle.l_m - lat) < half_l + hl
            for s, lat, hs, hl in spots
        )
        if not clash and not inside_camera:
            kept.append(vehicle)
            spots.append((vehicle.s_m, vehicle.l_m, half_s, half_l))
    return kept
