"""Pinhole camera and road course of the synthetic scenes.

Camera axes are the optical ones: X right, Y down, Z forward, metres. A place on the road is given
by its distance `s` along the centre line and its offset `l` from it (positive to the right).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]

NEAR_M = 0.6
FAR_M = 320.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A level pinhole camera above a flat ground.

    Attributes:
        size_hw: image size in pixels.
        focal_px: focal length in pixels, equal for both axes.
        centre_xy: principal point in pixels; its row is the horizon.
        height_m: height of the optical centre above the ground.
    """

    size_hw: tuple[int, int]
    focal_px: float
    centre_xy: tuple[float, float]
    height_m: float

    def project(self, points_xyz: Float64Array) -> Float64Array:
        """Project points in front of the camera.

        Args:
            points_xyz: (..., 3) camera coordinates in metres with Z > 0.

        Returns:
            (..., 2) image coordinates; the first pixel covers [0, 1) x [0, 1).
        """
        scaled = points_xyz[..., :2] * (self.focal_px / points_xyz[..., 2:3])
        return np.asarray(scaled + np.asarray(self.centre_xy), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadView:
    """The road's course as one frame's camera sees it.

    Attributes:
        ego_s_m: where the camera is along the road.
        ego_l_m: the camera's offset from the centre line.
        heading_rad: the camera's heading against the road, positive to the right.
        curvature: (base, amplitude, wave number 1/m, phase) of the curvature in 1/m along s.
    """

    ego_s_m: float
    ego_l_m: float
    heading_rad: float
    curvature: tuple[float, float, float, float]
    _z: Float64Array = field(init=False)
    _x: Float64Array = field(init=False)
    _slope: Float64Array = field(init=False)

    def __post_init__(self) -> None:
        """Integrate the curvature twice, from the camera on."""
        z = np.linspace(-60.0, FAR_M, 381)
        base, amplitude, wave, phase = self.curvature
        bend = base + amplitude * np.sin(wave * (z + self.ego_s_m) + phase)
        slope = np.cumsum(bend) * (z[1] - z[0])
        slope -= slope[60]
        offset = np.cumsum(slope) * (z[1] - z[0])
        offset -= offset[60]
        object.__setattr__(self, '_z', z)
        object.__setattr__(self, '_slope', slope - self.heading_rad)
        object.__setattr__(self, '_x', offset - self.heading_rad * z - self.ego_l_m)

    def centre_x(self, z_m: Float64Array | float) -> Float64Array:
        """Return the centre line's X in metres at depth `z_m`, of the same shape."""
        return np.asarray(np.interp(z_m, self._z, self._x), dtype=np.float64)

    def slope(self, z_m: Float64Array | float) -> Float64Array:
        """Return the road's direction at depth `z_m` in radians, positive to the right."""
        return np.asarray(np.interp(z_m, self._z, self._slope), dtype=np.float64)

    def place(self, s_m: float, l_m: float) -> tuple[float, float, float]:
        """Return X, Z in metres and the road's direction in radians at a place on the road."""
        z = s_m - self.ego_s_m
        return float(self.centre_x(z)) + l_m, z, float(self.slope(z))


def clip_near(polygon_xyz: Float64Array) -> Float64Array:
    """Cut off the part of a polygon that lies behind the near plane.

    Args:
        polygon_xyz: (N, 3) camera coordinates.

    Returns:
        (M, 3) with Z >= NEAR_M; M may be 0.
    """
    depth = polygon_xyz[:, 2]
    if depth.min() >= NEAR_M:
        return polygon_xyz
    kept = []
    for i in range(len(polygon_xyz)):
        here, following = polygon_xyz[i], polygon_xyz[(i + 1) % len(polygon_xyz)]
        if here[2] >= NEAR_M:
            kept.append(here)
        if (here[2] >= NEAR_M) != (following[2] >= NEAR_M):
            share = (NEAR_M - here[2]) / (following[2] - here[2])
            kept.append(here + share * (following - here))
    return np.array(kept).reshape(-1, 3)
