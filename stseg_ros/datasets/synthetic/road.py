"""The road of the synthetic scenes as a picture from above: asphalt, markings, kerbs, shadows.

The picture repeats along the road. Across, it is fine near the centre line and coarse far out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.canvas import GAMMA
from stseg_ros.datasets.synthetic.look import Look
from stseg_ros.datasets.synthetic.noise import noise_tile
from stseg_ros.datasets.synthetic.pixels import repeated, times
from stseg_ros.records import Float32Array, UInt8Array

PERIOD_M = 51.2
ROWS, HALF_COLS = 512, 680
_FINE_HALF_M = 12.0
_COLS_PER_M = 40.0
_OUTER_SCALE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadProfile:
    """What lies where across the road; metres from the centre line.

    Attributes:
        half_width_m: half of the carriageway, parking bays included.
        lane_m: width of a lane.
        lanes: lanes per direction.
        pavement_m: width of each pavement; 0 for none.
        verge: what lies beyond: 'grass', 'paving' or 'gravel'.
        side: +1 where one drives on the right, -1 on the left.
        dashes: dashes of the centre line per ground period, 0 for an unbroken line.
        edge_lines: whether the lanes' outer edges are marked.
        asphalt: grey level of the asphalt under full light, as a share.
        shade_trees: density of tree shadows, 0 to 1.
        shade_wall_m: how far the shadow of the buildings reaches over the road: from the left
            edge when positive, from the right edge when negative.
    """

    half_width_m: float
    lane_m: float
    lanes: int
    pavement_m: float
    verge: str
    side: int
    dashes: int
    edge_lines: bool
    asphalt: float
    shade_trees: float
    shade_wall_m: float


def column_of(l_m: float) -> int:
    """Return the picture's column at an offset from the centre line in metres."""
    inner = min(abs(l_m), _FINE_HALF_M)
    outer = max(abs(l_m) - _FINE_HALF_M, 0.0) * _OUTER_SCALE
    return round(HALF_COLS + float(np.sign(l_m)) * (inner + outer) * _COLS_PER_M)


def columns_of(l_m: Float32Array) -> Float32Array:
    """Return the picture's columns, unrounded, at offsets from the centre line in metres."""
    inner = np.clip(l_m, -_FINE_HALF_M, _FINE_HALF_M)
    mixed = inner + (l_m - inner) * np.float32(_OUTER_SCALE)
    return np.asarray(mixed * np.float32(_COLS_PER_M) + np.float32(HALF_COLS), dtype=np.float32)


class RoadPicture:
    """The road from above.

    Attributes:
        image_hwc: (ROWS, 2 HALF_COLS, 3) uint8 RGB; row 0 is at s = 0, column HALF_COLS is the
            centre line.
        shadow_hw: (ROWS, 2 HALF_COLS) float32 in [0, 1], the share of light that shadows take.
    """

    def __init__(self, profile: RoadProfile, look: Look, rng: np.random.Generator) -> None:
        """Paint the picture.

        Args:
            profile: what lies where across the road.
            look: light.
            rng: source of randomness.
        """
        self._profile = profile
        self._light = look.light_on(np.array([0.0, -1.0, 0.0]))
        self.shadow_hw = self._shadows(look, rng)
        surfaces = self._surfaces(rng)
        detail = noise_tile(10 + int(rng.integers(2)), (ROWS, 2 * HALF_COLS), (64, 170), 5)
        shift = (int(rng.integers(ROWS)), int(rng.integers(HALF_COLS)))
        detail = np.roll(detail, shift, (0, 1))
        # (1 - shadow) to the power of GAMMA, closely, at a fraction of the cost.
        dimming = 1.0 - self.shadow_hw * (0.68 + 0.32 * self.shadow_hw)
        gain = cv2.convertScaleAbs((1.0 + 0.06 * detail) * dimming, alpha=128.0)
        self.image_hwc = times(surfaces, repeated(np.asarray(gain, dtype=np.uint8)), 128.0)

    def _colour(self, *reflectance: float) -> list[float]:
        light = np.array(reflectance) * self._light / 255.0
        return [float(value) for value in 255.0 * np.clip(light, 0, 1) ** GAMMA]

    def _surfaces(self, rng: np.random.Generator) -> UInt8Array:
        profile = self._profile
        top = np.empty((ROWS, 2 * HALF_COLS, 3), np.uint8)
        verges = {
            'grass': (0.30, 0.36, 0.16),
            'paving': (0.46, 0.45, 0.43),
            'gravel': (0.44, 0.40, 0.33),
        }
        top[:] = self._colour(*(rng.uniform(0.75, 1.1) * np.array(verges[profile.verge])))
        edge = profile.half_width_m
        if profile.pavement_m:
            grey = rng.uniform(0.36, 0.56)
            for sign in (-1, 1):
                inner, outer = sorted(
                    (column_of(sign * edge), column_of(sign * (edge + profile.pavement_m)))
                )
                top[:, inner:outer] = self._colour(grey, grey * 0.98, grey * 0.95)
                _scale(top[::8, inner:outer], 0.82)
        asphalt = profile.asphalt
        top[:, column_of(-edge) : column_of(edge)] = self._colour(asphalt, asphalt, asphalt * 1.02)
        self._wear(top, rng)
        self._markings(top, rng)
        for sign in (-1, 1):
            inner, outer = sorted((column_of(sign * edge), column_of(sign * (edge + 0.16))))
            top[:, inner:outer] = self._colour(*[rng.uniform(0.45, 0.6)] * 3)
            gutter = sorted((column_of(sign * edge), column_of(sign * (edge - 0.12))))
            _scale(top[:, gutter[0] : gutter[1]], 0.7)
        return top

    def _wear(self, top: UInt8Array, rng: np.random.Generator) -> None:
        profile = self._profile
        tar = self._colour(*[profile.asphalt * 0.58] * 3)
        left, right = column_of(-profile.half_width_m), column_of(profile.half_width_m)
        for lane in range(-profile.lanes, profile.lanes):
            for track in (0.25, 0.75):
                middle = (lane + track) * profile.lane_m
                rut = top[:, column_of(middle - 0.35) : column_of(middle + 0.35)]
                _scale(rut, rng.uniform(0.9, 0.98))
        for _ in range(int(rng.integers(0, 7))):
            row, col = int(rng.integers(0, ROWS)), int(rng.integers(left, right))
            length, width = int(rng.integers(10, 150)), int(rng.integers(15, 110))
            _scale(top[row : row + length, col : min(col + width, right)], rng.uniform(0.72, 1.16))
        for _ in range(int(rng.integers(0, 8))):
            steps = rng.normal(0, 1, (14, 2)) * (4, 3)
            along = rng.choice([0, 14])
            points = np.cumsum(steps + np.array([rng.normal(0, 12), along]), axis=0)
            points += (rng.integers(left, right), rng.integers(0, ROWS))
            cv2.polylines(top, [points.astype(np.int32)], False, tar, 1)
        for _ in range(int(rng.integers(0, 4))):
            place = (int(rng.integers(left + 20, right - 20)), int(rng.integers(0, ROWS)))
            cv2.ellipse(top, place, (13, 3), 0, 0, 360, tar, -1)

    def _markings(self, top: UInt8Array, rng: np.random.Generator) -> None:
        profile = self._profile
        white = np.array(self._colour(*(rng.uniform(0.7, 1.0) * np.array([0.92, 0.92, 0.90]))))
        yellow = np.array(self._colour(*(rng.uniform(0.7, 1.0) * np.array([0.88, 0.70, 0.25]))))
        centre = yellow if rng.random() < 0.2 else white
        lines = [(0.0, profile.dashes, centre)]
        for lane in range(1, profile.lanes):
            lines += [(sign * lane * profile.lane_m, 6, white) for sign in (-1, 1)]
        if profile.edge_lines:
            outer = profile.lanes * profile.lane_m - 0.1
            lines += [(sign * outer, 0, white) for sign in (-1, 1)]
        worn = np.clip(1.15 + 0.3 * noise_tile(14, (ROWS, 64), (48, 8), 4), 0.25, 1)
        for offset, dashes, colour in lines:
            first = column_of(offset - 0.07)
            last = max(first + 1, column_of(offset + 0.08))
            strip = top[:, first:last]
            wear = worn[:, : last - first, None]
            if dashes:
                painted = (np.arange(ROWS) * dashes % ROWS) < 0.4 * ROWS
                wear = wear * painted[:, None, None].astype(np.float32)
            strip[:] = (strip * (1 - wear) + colour * wear).astype(np.uint8)
        if rng.random() < 0.25:
            row, col = int(rng.integers(0, ROWS - 45)), column_of(-profile.half_width_m)
            for stripe in range(col + 20, column_of(profile.half_width_m) - 20, 40):
                top[row : row + 35, stripe : stripe + 20] = white * 0.9

    def _shadows(self, look: Look, rng: np.random.Generator) -> Float32Array:
        # At half the resolution across: shadows are soft.
        shade: Float32Array = np.zeros((ROWS, HALF_COLS), np.float32)
        if self._profile.shade_trees > 0.05:
            shade = _tree_shadows(self._profile.shade_trees, rng)
        if self._profile.shade_wall_m:
            self._add_wall_shadow(shade, rng)
        soft = cv2.GaussianBlur(shade, (0, 0), 1.2) * min(look.shadow, 0.8)
        return np.asarray(cv2.resize(soft, (2 * HALF_COLS, ROWS)), dtype=np.float32)

    def _add_wall_shadow(self, shade: Float32Array, rng: np.random.Generator) -> None:
        from_left = self._profile.shade_wall_m > 0
        edge = -self._profile.half_width_m if from_left else self._profile.half_width_m
        reach = column_of(edge + self._profile.shade_wall_m) // 2
        steps = int(rng.integers(3, 7))
        for step in range(steps):
            jut = max(reach + int(rng.integers(-30, 30)), 0)
            rows = slice(step * (ROWS // steps), (step + 1) * (ROWS // steps) + 2)
            columns = slice(0, jut) if from_left else slice(jut, None)
            shade[rows, columns] = 1.0


def _tree_shadows(density: float, rng: np.random.Generator) -> Float32Array:
    cover = np.zeros((ROWS, HALF_COLS), np.float32)
    for _ in range(int(34 * density) + 1):
        x = int(rng.normal(0, 90) + rng.choice([-1, 1]) * 130 + HALF_COLS / 2)
        y = int(rng.integers(0, ROWS))
        axes = (int(rng.integers(30, 90)), int(rng.integers(16, 42)))
        for wrap in (-ROWS, 0, ROWS):
            cv2.ellipse(cover, (x, y + wrap), axes, 0, 0, 360, 1.0, -1)
    leaves = noise_tile(15, (ROWS, HALF_COLS), (32, 42), 4)
    edges = cv2.GaussianBlur(cover, (0, 0), 5) - 0.5 + 0.33 * leaves
    return np.asarray(np.clip(edges * 9, 0, 1), dtype=np.float32)


def _scale(region: UInt8Array, gain: float) -> None:
    if region.size:
        region[:] = cv2.convertScaleAbs(region, alpha=gain**GAMMA)
