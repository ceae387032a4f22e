"""The beginning and the end of a synthetic picture: the sky, and the camera's response."""

from __future__ import annotations

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.look import Look
from stseg_ros.datasets.synthetic.noise import noise_tile, sensor_noise
from stseg_ros.datasets.synthetic.pixels import laid_over, repeated, times
from stseg_ros.records import UInt8Array


def paint_sky(image_hwc: UInt8Array, horizon_row: int, look: Look, shift_px: int) -> None:
    """Paint the sky into the rows above the horizon, in place.

    Args:
        image_hwc: (H, W, 3) uint8 RGB.
        horizon_row: row of the horizon.
        look: weather.
        shift_px: sideways position of the clouds.
    """
    rows = min(max(horizon_row + 2, 1), image_hwc.shape[0])
    width = image_hwc.shape[1]
    height_share = (np.linspace(1.0, 0.0, rows) ** 1.2)[:, None]
    gradient = look.horizon + (look.zenith - look.horizon) * height_share
    gradient = np.clip(gradient, 0, 255).astype(np.uint8)
    sky: UInt8Array = np.asarray(
        cv2.resize(gradient[:, None], (width, rows), interpolation=cv2.INTER_NEAREST), np.uint8
    )
    if look.clouds > 0.05:
        tile = np.roll(noise_tile(60 + look.cloud_index, (256, 512), (3, 3), 6), shift_px, axis=1)
        noise = cv2.resize(tile, (width, rows), interpolation=cv2.INTER_LINEAR)
        level = 1.3 - 1.9 * look.clouds
        cover = np.rint(200 * np.clip((noise - level) * 0.7, 0, 1)).astype(np.uint8)
        shade = cv2.resize(
            np.roll(tile, 37, axis=0), (width, rows), interpolation=cv2.INTER_LINEAR
        )
        bright = np.clip((225 - 22 * shade) * (look.horizon.max() / 235.0), 0, 255).astype(
            np.uint8
        )
        alpha = repeated(cover)
        sky = laid_over(sky, times(repeated(bright), alpha, 255.0), alpha)
    image_hwc[:rows] = sky


def develop(image_hwc: UInt8Array, look: Look, rng: np.random.Generator) -> UInt8Array:
    """Turn the painted scene into a photograph: tone curve, lens blur, sensor noise.

    Args:
        image_hwc: (H, W, 3) uint8 RGB.
        look: camera response.
        rng: places the noise.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = image_hwc.shape[:2]
    sigma = look.blur_px * height / 720.0
    if sigma > 0.2:
        image_hwc = np.asarray(cv2.GaussianBlur(image_hwc, (0, 0), sigma), dtype=np.uint8)
    if look.sharpen > 0.1:
        soft = cv2.GaussianBlur(image_hwc, (0, 0), 1.1)
        image_hwc = np.asarray(
            cv2.addWeighted(image_hwc, 1 + look.sharpen, soft, -look.sharpen, 0), np.uint8
        )
    levels = np.arange(256, dtype=np.float64)[:, None] * look.exposure * look.tint
    curve = 118 + (levels - 118) * look.contrast
    # The shoulder keeps bright surfaces from turning flat white, the toe keeps shadows readable.
    curve = np.where(curve > 200, 200 + 55 * np.tanh((curve - 200) / 55), curve)
    curve = np.where(curve < 36, 36 * np.exp((curve - 36) / 36), curve)
    table = np.clip(curve, 0, 255).astype(np.uint8)[None]
    toned = cv2.LUT(image_hwc, table)
    tile = sensor_noise((height + 256, width + 256))
    top, left = rng.integers(0, 257, 2)
    noise = tile[top : top + height, left : left + width]
    gain = look.noise / 32.0
    return np.asarray(cv2.addWeighted(toned, 1.0, noise, gain, -128.0 * gain), dtype=np.uint8)
