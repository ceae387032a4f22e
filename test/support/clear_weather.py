"""Weather for tests of the synthetic scenes: even light, no haze unless asked for."""

from __future__ import annotations

import numpy as np

from stseg_ros.datasets.synthetic.look import Look


def clear_look(haze_m: float = 1e9) -> Look:
    return Look(
        sun_xyz=np.array([0.0, -1.0, 0.0]),
        sun=np.zeros(3),
        ambient=np.full(3, 200.0),
        zenith=np.full(3, 200.0),
        horizon=np.full(3, 200.0),
        haze_m=haze_m,
        clouds=0.0,
        cloud_index=0,
        shadow=0.0,
        exposure=1.0,
        contrast=1.0,
        tint=np.ones(3),
        noise=0.0,
        blur_px=0.0,
        sharpen=0.0,
        lamps_on=False,
    )
