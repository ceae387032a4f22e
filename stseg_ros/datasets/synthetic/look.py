"""Weather, light and camera response of the synthetic scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stseg_ros.datasets.synthetic.camera import Float64Array
from stseg_ros.datasets.synthetic.colours import Rgb


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """Light and camera response of one scene; colours are RGB in grey levels, 0 to 255 and above.

    Attributes:
        sun_xyz: unit vector towards the sun in camera axes (Y down).
        sun: light of the sun on a white surface that faces it; 0 when overcast.
        ambient: light of the sky on a white surface.
        zenith: colour of the sky high up.
        horizon: colour of the sky at the horizon, and of haze.
        haze_m: distance over which haze takes 63 % of the contrast.
        clouds: share of the sky in cloud, 0 to 1.
        cloud_index: which cloud pattern.
        shadow: darkness of cast shadows, 0 to 1.
        exposure: gain of the camera.
        contrast: slope of the tone curve around mid grey.
        tint: gain of each channel.
        noise: standard deviation of the sensor noise in grey levels.
        blur_px: standard deviation of the lens blur at 720 rows.
        sharpen: the camera's own edge enhancement, 0 for none.
        lamps_on: whether drivers have their lights on.
    """

    sun_xyz: Float64Array
    sun: Float64Array
    ambient: Float64Array
    zenith: Float64Array
    horizon: Float64Array
    haze_m: float
    clouds: float
    cloud_index: int
    shadow: float
    exposure: float
    contrast: float
    tint: Float64Array
    noise: float
    blur_px: float
    sharpen: float
    lamps_on: bool

    def light_on(self, normals_xyz: Float64Array) -> Float64Array:
        """Return the light that white surfaces send to the camera.

        Args:
            normals_xyz: (..., 3) unit normals in camera axes.

        Returns:
            (..., 3) RGB in grey levels.
        """
        facing = np.clip(normals_xyz @ self.sun_xyz, 0.0, None)[..., None]
        up = -normals_xyz[..., 1:2]
        return np.asarray(self.ambient * (0.78 + 0.3 * up) + self.sun * facing, dtype=np.float64)

    def mirrored(self, directions_xyz: Float64Array) -> Float64Array:
        """Return what a mirror shows that reflects along the given directions.

        Args:
            directions_xyz: (..., 3) unit vectors in camera axes.

        Returns:
            (..., 3) RGB in grey levels: sky, a dark band of surroundings, road.
        """
        up = -directions_xyz[..., 1:2]
        sky = self.horizon + (self.zenith - self.horizon) * np.clip(up * 1.4, 0, 1)
        surroundings = 0.32 * self.ambient
        road = 0.36 * (self.ambient + 0.6 * self.sun)
        to_sky = np.clip((up - 0.14) / 0.2, 0, 1)
        to_road = np.clip((-up - 0.06) / 0.2, 0, 1)
        return np.asarray(
            surroundings * (1 - to_sky) * (1 - to_road) + sky * to_sky + road * to_road,
            dtype=np.float64,
        )

    def clearness(self, depth_m: float) -> float:
        """Return the share of an object's own light that reaches the camera through the haze."""
        return float(np.exp(-max(depth_m, 0.0) / self.haze_m))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weather:
    """Light of a kind of weather; each pair of numbers is a range to draw from."""

    share: float
    sun: tuple[float, float]
    ambient: Rgb
    shadow: float
    zenith: Rgb
    horizon: Rgb
    haze_m: tuple[float, float]
    clouds: tuple[float, float]
    exposure: tuple[float, float]


_SUNLIGHT = np.array([178.0, 170.0, 154.0])
_WEATHER = {
    'sunny': _Weather(
        share=0.5,
        sun=(1.0, 1.0),
        ambient=(104, 110, 120),
        shadow=0.62,
        zenith=(92, 142, 206),
        horizon=(206, 222, 236),
        haze_m=(500, 1500),
        clouds=(0.0, 0.8),
        exposure=(0.85, 1.35),
    ),
    'overcast': _Weather(
        share=0.26,
        sun=(0.0, 0.12),
        ambient=(186, 190, 196),
        shadow=0.12,
        zenith=(176, 184, 194),
        horizon=(228, 231, 234),
        haze_m=(500, 1500),
        clouds=(1.0, 1.0),
        exposure=(0.65, 1.15),
    ),
    'dusk': _Weather(
        share=0.12,
        sun=(0.1, 0.1),
        ambient=(104, 108, 122),
        shadow=0.15,
        zenith=(112, 126, 152),
        horizon=(196, 190, 186),
        haze_m=(500, 1500),
        clouds=(0.0, 0.8),
        exposure=(0.55, 0.95),
    ),
    'hazy': _Weather(
        share=0.12,
        sun=(0.55, 0.55),
        ambient=(104, 110, 120),
        shadow=0.4,
        zenith=(176, 192, 210),
        horizon=(222, 226, 230),
        haze_m=(90, 320),
        clouds=(0.0, 0.8),
        exposure=(0.85, 1.35),
    ),
}


def random_look(rng: np.random.Generator) -> Look:
    """Draw weather, time of day and camera."""
    kind = str(rng.choice(list(_WEATHER), p=[weather.share for weather in _WEATHER.values()]))
    weather = _WEATHER[kind]
    warm = rng.uniform(-0.06, 0.1)
    # Many cameras expose for the road and lose the sky.
    blown = bool(rng.random() < 0.55)
    return Look(
        sun_xyz=_random_sun(rng),
        sun=_SUNLIGHT * rng.uniform(*weather.sun),
        ambient=np.array(weather.ambient, np.float64),
        zenith=np.array(weather.zenith) * (1.35 if blown else 1.0),
        horizon=np.array(weather.horizon) * (1.3 if blown else 1.0),
        haze_m=rng.uniform(*weather.haze_m),
        clouds=rng.uniform(*weather.clouds),
        cloud_index=int(rng.integers(4)),
        shadow=weather.shadow * rng.uniform(0.8, 1.1),
        exposure=rng.uniform(*weather.exposure),
        contrast=rng.uniform(0.95, 1.35),
        tint=np.array([1 + warm, 1.0, 1 - warm]),
        noise=rng.uniform(0.5, 3.5),
        blur_px=rng.uniform(0.25, 0.8),
        sharpen=rng.uniform(0.0, 1.3),
        lamps_on=kind == 'dusk' or bool(rng.random() < 0.15),
    )


def _random_sun(rng: np.random.Generator) -> Float64Array:
    azimuth = rng.uniform(-np.pi, np.pi)
    elevation = np.deg2rad(rng.uniform(22, 62))
    level = np.cos(elevation)
    return np.array([level * np.sin(azimuth), -np.sin(elevation), level * np.cos(azimuth)])
