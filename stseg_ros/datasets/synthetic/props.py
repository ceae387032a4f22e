"""Painting small things that are no vehicles: poles, signs, people, bins, boxes, boards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stseg_ros.datasets.synthetic.camera import Camera, Float64Array, RoadView, clip_near
from stseg_ros.datasets.synthetic.canvas import Canvas, Paint, SceneClass
from stseg_ros.datasets.synthetic.colours import Rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Prop:
    """A small thing that is no vehicle.

    Attributes:
        kind: 'pole', 'lamp', 'signal', 'sign', 'person', 'bin', 'box', 'kiosk' or 'board'.
        s_m: place along the road.
        l_m: offset from the centre line.
        height_m: its height.
        colour: RGB reflectance, 0 to 1.
        turn: a random number in [0, 1) for whatever varies inside the kind.
        walks_mps: speed along the road, of people.
    """

    kind: str
    s_m: float
    l_m: float
    height_m: float
    colour: Rgb
    turn: float
    walks_mps: float = 0.0


_PROP_CLASS = {
    'pole': SceneClass.POLE,
    'lamp': SceneClass.POLE,
    'signal': SceneClass.TRAFFIC_LIGHT,
    'sign': SceneClass.TRAFFIC_SIGN,
    'person': SceneClass.PERSON,
    'bin': SceneClass.WALL,
    'box': SceneClass.WALL,
    'kiosk': SceneClass.BUILDING,
    'board': SceneClass.TRAFFIC_SIGN,
}


def paint_prop(
    canvas: Canvas, camera: Camera, road: RoadView, prop: Prop, time_s: float, shade: float
) -> None:
    """Paint a pole, a sign, a person or a piece of street furniture."""
    x, z, _ = road.place(prop.s_m + prop.walks_mps * time_s, prop.l_m)
    if z < 1.6:
        return
    shapes = _SHAPES[prop.kind](prop, time_s)
    polygons, colours = [], []
    for points, colour, normal in shapes:
        corners = np.column_stack(
            [x + points[:, 0], camera.height_m - points[:, 1], z + points[:, 2]]
        )
        corners = clip_near(corners)
        if len(corners) < 3:
            continue
        polygons.append(camera.project(corners))
        colours.append(
            np.array(colour) * canvas.look.light_on(np.array(normal)) * (1 - 0.7 * shade)
        )
    if polygons:
        paint = Paint(scene_class=_PROP_CLASS[prop.kind], depth_m=z)
        counts = np.array([len(polygon) for polygon in polygons], np.intp)
        canvas.polygons(np.concatenate(polygons), counts, np.array(colours), paint)


_Shape = tuple[Float64Array, Rgb, tuple[float, float, float]]


def _plate(x0: float, x1: float, y0: float, y1: float, colour: Rgb, z: float = 0.0) -> _Shape:
    points = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])
    return points, colour, (0.0, -0.2, -0.98)


def _disc(
    x: float, y: float, radius: float, colour: Rgb, corners: int = 16, squash: float = 1.0
) -> _Shape:
    angles = np.linspace(0, 2 * np.pi, corners + 1)[:-1] + np.pi / 2
    points = np.column_stack(
        [x + radius * squash * np.cos(angles), y + radius * np.sin(angles), np.zeros(corners)]
    )
    return points, colour, (0.0, -0.2, -0.98)


def _scaled(colour: Rgb, gain: float) -> Rgb:
    return colour[0] * gain, colour[1] * gain, colour[2] * gain


def _mast(height: float, radius: float, colour: Rgb) -> list[_Shape]:
    return [
        _plate(-radius, radius, 0, height, _scaled(colour, 0.7)),
        _plate(-radius * 0.5, radius * 0.4, 0, height, colour),
    ]


def _pole(prop: Prop, _time_s: float) -> list[_Shape]:
    return _mast(prop.height_m, 0.05 + 0.13 * prop.turn, prop.colour)


def _lamp(prop: Prop, _time_s: float) -> list[_Shape]:
    arm = -np.sign(prop.l_m) * (0.8 + 1.2 * prop.turn)
    top = prop.height_m
    return [
        *_mast(top, 0.08, prop.colour),
        _plate(min(0, arm), max(0, arm), top - 0.08, top, prop.colour),
        _plate(arm - 0.35, arm + 0.35, top - 0.16, top + 0.02, _scaled(prop.colour, 1.3)),
    ]


def _signal(prop: Prop, _time_s: float) -> list[_Shape]:
    top = prop.height_m
    lit = int(prop.turn * 3)
    shapes = [
        *_mast(top, 0.06, prop.colour),
        _plate(-0.17, 0.17, top - 0.9, top, (0.05, 0.05, 0.05)),
    ]
    bright: list[Rgb] = [(1.6, 0.25, 0.15), (1.5, 0.9, 0.15), (0.2, 1.5, 0.8)]
    for lamp in range(3):
        colour = bright[lamp] if lamp == lit else _scaled(bright[lamp], 0.08)
        shapes.append(_disc(0, top - 0.17 - 0.28 * lamp, 0.1, colour))
    return shapes


def _sign(prop: Prop, _time_s: float) -> list[_Shape]:
    top, radius = prop.height_m, 0.32
    shapes = _mast(top, 0.04, (0.4, 0.4, 0.42))
    style = int(prop.turn * 4)
    if style == 0:
        shapes += [
            _disc(0, top, radius, (0.7, 0.06, 0.06)),
            _disc(0, top, radius * 0.75, (0.85, 0.85, 0.85)),
        ]
    elif style == 1:
        shapes += [
            _disc(0, top, radius, (0.06, 0.2, 0.6)),
            _plate(-0.06, 0.06, top - 0.2, top + 0.2, (0.85, 0.85, 0.85)),
        ]
    elif style == 2:
        shapes += [
            _disc(0, top, radius, (0.75, 0.08, 0.08), 3),
            _disc(0, top, radius * 0.6, (0.85, 0.85, 0.85), 3),
        ]
    else:
        shapes += [
            _plate(-0.6, 0.6, top - 0.3, top + 0.3, prop.colour),
            _plate(-0.5, 0.2, top - 0.02, top + 0.08, (0.85, 0.85, 0.85)),
        ]
    return shapes


def _person(prop: Prop, time_s: float) -> list[_Shape]:
    tall = prop.height_m / 1.75
    swing = 0.17 * float(np.sin(6.0 * prop.walks_mps * time_s + 6 * prop.turn))
    trousers = _scaled((0.18, 0.2, 0.28), 0.4 + prop.turn)
    sleeves, hair = _scaled(prop.colour, 0.8), _scaled((0.2, 0.14, 0.1), 0.5 + prop.turn)
    shapes: list[_Shape] = []
    for side in (-1, 1):
        foot, hip = side * (0.06 + swing), side * 0.08
        leg = [(foot - 0.06, 0), (foot + 0.07, 0), (hip + 0.08, 0.85), (hip - 0.08, 0.85)]
        shapes.append(_outline(leg, tall, trousers))
    torso = [(-0.17, 0.8), (0.17, 0.8), (0.22, 1.4), (0.1, 1.5), (-0.1, 1.5), (-0.22, 1.4)]
    shapes.append(_outline(torso, tall, prop.colour))
    for side in (-1, 1):
        hand = side * (0.22 + swing)
        arm = [(side * 0.2, 1.42), (side * 0.27, 1.38), (hand + side * 0.07, 0.85), (hand, 0.85)]
        shapes.append(_outline(arm, tall, sleeves))
    shapes.append(_disc(0, 1.63 * tall, 0.12 * tall, (0.62, 0.45, 0.36), 12, 0.8))
    shapes.append(_disc(0, 1.68 * tall, 0.11 * tall, hair, 12, 0.85))
    return shapes


def _outline(points_xy: list[tuple[float, float]], size: float, colour: Rgb) -> _Shape:
    points = np.array([(x * size, y * size, 0.0) for x, y in points_xy])
    return points, colour, (0.0, -0.2, -0.98)


def _cuboid(half_w: float, height: float, length: float, colour: Rgb) -> list[_Shape]:
    top = np.array(
        [
            [-half_w, height, 0],
            [half_w, height, 0],
            [half_w, height, length],
            [-half_w, height, length],
        ]
    )
    shapes: list[_Shape] = []
    for side in (-1.0, 1.0):
        x = side * half_w
        flank = np.array([[x, 0, 0], [x, 0, length], [x, height, length], [x, height, 0]])
        shapes.append((flank, _scaled(colour, 0.85), (side, 0.0, 0.0)))
    shapes += [(top, colour, (0.0, -1.0, 0.0)), _plate(-half_w, half_w, 0, height, colour)]
    return shapes


def _bin(prop: Prop, _time_s: float) -> list[_Shape]:
    shapes = _cuboid(0.3, prop.height_m, 0.6, prop.colour)
    return [
        *shapes,
        _plate(-0.33, 0.33, prop.height_m - 0.1, prop.height_m + 0.02, _scaled(prop.colour, 0.6)),
    ]


def _box(prop: Prop, _time_s: float) -> list[_Shape]:
    return _cuboid(0.5 + 0.6 * prop.turn, prop.height_m, 0.8 + prop.turn, prop.colour)


def _kiosk(prop: Prop, _time_s: float) -> list[_Shape]:
    half = 0.9 + 0.9 * prop.turn
    shapes = _cuboid(half, prop.height_m, 2.0, prop.colour)
    shapes.append(
        _plate(-half * 0.85, half * 0.85, 0.9, prop.height_m * 0.75, (0.1, 0.11, 0.12), -0.01)
    )
    shapes.append(
        _plate(
            -half * 1.1,
            half * 1.1,
            prop.height_m * 0.88,
            prop.height_m,
            _scaled(prop.colour, 1.2),
            -0.02,
        )
    )
    return shapes


def _board(prop: Prop, _time_s: float) -> list[_Shape]:
    top, half = prop.height_m, 0.6 + 1.5 * prop.turn
    bottom = top - half * 0.9
    shapes = _mast(bottom, 0.07, (0.35, 0.35, 0.36))
    shapes += [
        _plate(-half, half, bottom, top, prop.colour),
        _plate(-half * 0.8, half * 0.3, top - 0.35, top - 0.2, (0.85, 0.85, 0.85)),
    ]
    shapes.append(
        _plate(-half * 0.8, half * 0.6, bottom + 0.15, bottom + 0.3, _scaled(prop.colour, 0.4))
    )
    return shapes


_SHAPES = {
    'pole': _pole,
    'lamp': _lamp,
    'signal': _signal,
    'sign': _sign,
    'person': _person,
    'bin': _bin,
    'box': _box,
    'kiosk': _kiosk,
    'board': _board,
}
