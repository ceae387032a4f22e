"""Colours that vehicles and street furniture share, so that colour alone tells nothing."""

from __future__ import annotations

import numpy as np

from stseg_ros.datasets.synthetic.camera import Float64Array

Rgb = tuple[float, float, float]

# RGB reflectance, 0 to 1, with the share of cars that have it.
_PAINT_SHARES: dict[Rgb, int] = {
    (0.84, 0.84, 0.83): 20,
    (0.60, 0.61, 0.62): 17,
    (0.40, 0.41, 0.43): 13,
    (0.20, 0.21, 0.23): 10,
    (0.07, 0.07, 0.08): 13,
    (0.05, 0.05, 0.05): 8,
    (0.48, 0.06, 0.06): 7,
    (0.30, 0.04, 0.07): 2,
    (0.08, 0.12, 0.34): 5,
    (0.14, 0.26, 0.48): 4,
    (0.07, 0.20, 0.14): 2,
    (0.42, 0.38, 0.30): 3,
    (0.66, 0.60, 0.16): 1,
    (0.62, 0.28, 0.08): 1,
    (0.36, 0.42, 0.20): 1,
}
PAINTS = tuple(_PAINT_SHARES)
_SHARES = np.array(list(_PAINT_SHARES.values()), np.float64)

BUS_PAINTS: tuple[Rgb, ...] = (
    (0.60, 0.07, 0.07),
    (0.80, 0.80, 0.78),
    (0.75, 0.55, 0.10),
    (0.10, 0.30, 0.55),
    (0.10, 0.40, 0.25),
)
LOAD_PAINTS = tuple(PAINTS[i] for i in (0, 0, 0, 1, 2, 6, 9, 12))


def random_paint(rng: np.random.Generator) -> Float64Array:
    """Draw a car's paint: (3,) RGB reflectance, common colours more often."""
    return np.array(PAINTS[int(rng.choice(len(PAINTS), p=_SHARES / _SHARES.sum()))])


def to_rgb(values: Float64Array) -> Rgb:
    """Turn a (3,) array into a tuple."""
    return float(values[0]), float(values[1]), float(values[2])
