"""Synthetic driving scenes with exact vehicle masks: single scenes and drives.

A scene is a function of its seed and size alone. With the same versions of NumPy and OpenCV and
the same kind of processor it is the same to the bit; elsewhere single grey levels may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stseg_ros.datasets.synthetic.camera import Camera
from stseg_ros.datasets.synthetic.canvas import VEHICLE_CLASSES
from stseg_ros.datasets.synthetic.render import SceneRenderer, VehicleRecord
from stseg_ros.datasets.synthetic.street import random_world
from stseg_ros.records import UInt8Array

_VIEW_M = 230.0
_FASTEST_MPS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One synthetic camera picture and its truth. It owns its arrays.

    Attributes:
        image_hwc: (H, W, 3) uint8 RGB.
        mask_hw: (H, W) uint8; 255 where a vehicle covers at least half of the pixel, else 0.
        class_hw: (H, W) uint8 train ids as in Cityscapes and BDD100K; 255 is the own bonnet.
        vehicles: the visible vehicles, far to near.
        camera: the pinhole camera that saw the scene.
    """

    image_hwc: UInt8Array
    mask_hw: UInt8Array
    class_hw: UInt8Array
    vehicles: tuple[VehicleRecord, ...]
    camera: Camera


def render_scene(seed: int, size_hw: tuple[int, int] = (720, 1280)) -> Scene:
    """Render one scene; scenes of different seeds have nothing in common.

    Args:
        seed: 0 or above.
        size_hw: image size in pixels; at least 32 by 32.

    Returns:
        The picture and its truth.
    """
    world = random_world(seed, size_hw, length_m=_VIEW_M, duration_s=0.0)
    return _scene(SceneRenderer(world, seed), world.camera, 0, 0.0)


def render_drive(
    seed: int, frames: int, rate_hz: float = 30.0, size_hw: tuple[int, int] = (720, 1280)
) -> Iterator[Scene]:
    """Render a drive: one street, seen from a moving car among moving traffic.

    Args:
        seed: 0 or above.
        frames: number of frames.
        rate_hz: frames per second.
        size_hw: image size in pixels; at least 32 by 32.

    Yields:
        One scene per frame, in order; all share one camera.
    """
    duration_s = frames / rate_hz
    length_m = _VIEW_M + _FASTEST_MPS * duration_s
    world = random_world(seed, size_hw, length_m=length_m, duration_s=duration_s)
    renderer = SceneRenderer(world, seed)
    for frame in range(frames):
        yield _scene(renderer, world.camera, frame, frame / rate_hz)


def _scene(renderer: SceneRenderer, camera: Camera, frame: int, time_s: float) -> Scene:
    picture = renderer.render(frame, time_s)
    mask = np.where(np.isin(picture.class_hw, VEHICLE_CLASSES), 255, 0).astype(np.uint8)
    return Scene(
        image_hwc=picture.image_hwc,
        mask_hw=mask,
        class_hw=picture.class_hw,
        vehicles=picture.vehicles,
        camera=camera,
    )
