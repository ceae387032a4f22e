"""Drawing up what stands beside a synthetic street: houses, hedges, trees, furniture, people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stseg_ros.datasets.synthetic.colours import PAINTS, Rgb, to_rgb
from stseg_ros.datasets.synthetic.facades import FACADE_COUNT
from stseg_ros.datasets.synthetic.props import Prop
from stseg_ros.datasets.synthetic.road import RoadProfile
from stseg_ros.datasets.synthetic.scenery import Tree, Wall
from stseg_ros.datasets.synthetic.textures import HEDGE_COUNT, TREE_COUNT

_HEDGE_SHARES = {'town': 0.12, 'suburb': 0.45, 'avenue': 0.75, 'highway': 0.8}
_TREE_GAPS_M = {'town': 30.0, 'suburb': 15.0, 'avenue': 8.5, 'highway': 16.0}

# Kind: share in streets, share along highways, lowest and highest in metres.
_PROPS = {
    'pole': (0.20, 0.30, 1.0, 8.0),
    'lamp': (0.17, 0.30, 5.0, 9.0),
    'signal': (0.06, 0.0, 2.6, 3.6),
    'sign': (0.14, 0.20, 2.0, 2.8),
    'person': (0.19, 0.0, 1.5, 1.9),
    'bin': (0.08, 0.0, 0.9, 1.3),
    'box': (0.07, 0.05, 0.8, 1.7),
    'kiosk': (0.03, 0.0, 2.2, 2.8),
    'board': (0.06, 0.15, 2.2, 4.5),
}
_AT_THE_KERB = {'pole', 'lamp', 'signal', 'sign'}
_GREY = {'pole', 'lamp', 'signal'}
_WALK_MPS = 1.3


def draw_roadside(
    rng: np.random.Generator, style: str, profile: RoadProfile, length_m: float
) -> tuple[tuple[Wall, ...], tuple[Tree, ...]]:
    """Draw walls and trees along both sides.

    Args:
        rng: source of randomness.
        style: 'town', 'suburb', 'avenue' or 'highway'.
        profile: what lies where across the road.
        length_m: how far along the road.
    """
    walls: list[Wall] = []
    trees: list[Tree] = []
    for sign in (-1, 1):
        walls += _walls(rng, style, profile, length_m, sign)
        trees += _trees(rng, style, profile, length_m, sign)
    return tuple(walls), tuple(trees)


def _walls(
    rng: np.random.Generator, style: str, profile: RoadProfile, length_m: float, sign: int
) -> list[Wall]:
    walls: list[Wall] = []
    edge = profile.half_width_m + profile.pavement_m
    s = rng.uniform(-30, -10)
    while s < length_m:
        step = rng.uniform(9, 26)
        back = edge + rng.uniform(0.3, 1.5) + (rng.uniform(2, 9) if style != 'town' else 0)
        tint = to_rgb(rng.uniform(0.8, 1.1) * np.ones(3) + rng.normal(0, 0.03, 3))
        hedge = bool(rng.random() < _HEDGE_SHARES[style])
        if hedge:
            height, depth = rng.uniform(1.2, 0.45 * step), 6.0
            texture = int(rng.integers(HEDGE_COUNT))
        elif rng.random() < 0.88:
            depth, height = rng.uniform(6, 14), rng.uniform(4.5, 15)
            texture = int(rng.integers(FACADE_COUNT))
        else:
            height, depth, texture = 0.0, 0.0, 0
        if height:
            wall = Wall(
                s0_m=s,
                s1_m=s + step,
                l_m=sign * back,
                depth_m=depth,
                height_m=height,
                texture=texture,
                hedge=hedge,
                tint=tint,
            )
            walls.append(replace(wall, depth_m=0.0) if _hidden(wall, walls) else wall)
        s += step + (rng.uniform(0, 9) if rng.random() < 0.35 else 0.0)
    return walls


def _hidden(wall: Wall, before: list[Wall]) -> bool:
    """Say whether the house before hides a wall's near end, which then need not be painted."""
    if not before or before[-1].hedge:
        return False
    last = before[-1]
    joined = last.s1_m == wall.s0_m and abs(last.l_m) <= abs(wall.l_m)
    return joined and last.height_m >= wall.height_m


def _trees(
    rng: np.random.Generator, style: str, profile: RoadProfile, length_m: float, sign: int
) -> list[Tree]:
    trees: list[Tree] = []
    edge = profile.half_width_m + profile.pavement_m
    s = rng.uniform(4, 20)
    while s < length_m:
        aside = -rng.uniform(0.4, 0.8) if style == 'town' else rng.uniform(-0.6, 7.0)
        trees.append(
            Tree(
                s_m=s,
                l_m=sign * max(edge + aside, profile.half_width_m + 0.6),
                height_m=rng.uniform(4, 12),
                texture=int(rng.integers(TREE_COUNT)),
                tint=to_rgb(rng.uniform(0.7, 1.15) * np.ones(3)),
            )
        )
        s += rng.exponential(_TREE_GAPS_M[style]) + 2.0
    return trees


def draw_props(
    rng: np.random.Generator, style: str, profile: RoadProfile, length_m: float
) -> list[Prop]:
    """Draw street furniture and people, a few of the people on the road itself.

    Args:
        rng: source of randomness.
        style: 'town', 'suburb', 'avenue' or 'highway'.
        profile: what lies where across the road.
        length_m: how far along the road.
    """
    highway = style == 'highway'
    kinds = list(_PROPS)
    shares = np.array([row[1 if highway else 0] for row in _PROPS.values()])
    props: list[Prop] = []
    s = 3.0
    while s < length_m:
        kind = str(rng.choice(kinds, p=shares / shares.sum()))
        props.append(_prop(rng, kind, s, profile))
        s += rng.exponential(18.0 if highway else 4.5)
    return props


def _prop(rng: np.random.Generator, kind: str, s_m: float, profile: RoadProfile) -> Prop:
    sign = int(rng.choice([-1, 1]))
    widest = 0.6 if kind in _AT_THE_KERB else max(profile.pavement_m, 1.0) + 0.4
    offset = profile.half_width_m + rng.uniform(0.3 if kind in _AT_THE_KERB else 0.7, widest)
    colour: Rgb
    if kind in _GREY:
        colour = to_rgb(np.ones(3) * rng.uniform(0.18, 0.6))
    else:
        colour = PAINTS[int(rng.integers(len(PAINTS)))]
    walks_mps = 0.0
    if kind == 'person':
        if rng.random() < 0.7:
            walks_mps = float(rng.choice([-_WALK_MPS, _WALK_MPS]))
        if rng.random() < 0.12:
            offset = rng.uniform(0, profile.half_width_m)
    return Prop(
        kind=kind,
        s_m=s_m,
        l_m=sign * offset,
        height_m=rng.uniform(*_PROPS[kind][2:]),
        colour=colour,
        turn=float(rng.random()),
        walks_mps=walks_mps,
    )
