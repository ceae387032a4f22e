"""Synthetic scenes kept on disk, so that only the first training start renders them.

The cache lies in `$XDG_CACHE_HOME/stseg_ros/scenes` (`~/.cache` where that is not set) and may be
deleted at any time. Its folders are named after the generator's code and libraries: when these
change, scenes are rendered anew.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.datasets import synthetic
from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.records import UInt8Array

# Fast to write; a stronger one saves a tenth of the space.
_PNG_COMPRESSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskedScene:
    """A synthetic picture and its vehicles.

    Attributes:
        image_hwc: (H, W, 3) uint8 RGB.
        vehicle_hw: (H, W) uint8 of 0 and 1.
    """

    image_hwc: UInt8Array
    vehicle_hw: UInt8Array


def cached_scene(seed: int, size_hw: tuple[int, int]) -> MaskedScene:
    """Return the scene that `render_scene` renders, from the cache if it is there.

    A cache that cannot be written costs time only, so it is no error.

    Args:
        seed: 0 or above.
        size_hw: image size in pixels.

    Returns:
        The same arrays with and without the cache.
    """
    path = scene_cache_folder() / f'{size_hw[1]}x{size_hw[0]}' / f'{seed}.png'
    kept = _read(path, size_hw)
    if kept is not None:
        return kept
    scene = render_scene(seed, size_hw)
    rendered = MaskedScene(
        image_hwc=scene.image_hwc, vehicle_hw=(scene.mask_hw > 0).astype(np.uint8)
    )
    with suppress(OSError):
        _write(rendered, path)
    return rendered


def scene_cache_folder() -> Path:
    """Return the folder of scenes from this version of the generator; it may be missing."""
    return cache_folder() / 'scenes' / _generator_hash()


def cache_folder() -> Path:
    """Return the folder for what can be made again; it may be missing."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'stseg_ros'


@lru_cache(maxsize=1)
def _generator_hash() -> str:
    """Hash what a scene depends on besides seed and size: code and libraries."""
    digest = hashlib.sha256(f'{np.__version__} {cv2.__version__}'.encode())
    for path in sorted(_generator_files()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _generator_files() -> Iterator[Path]:
    for folder in synthetic.__path__:
        yield from Path(folder).glob('*.py')


def _read(path: Path, size_hw: tuple[int, int]) -> MaskedScene | None:
    """Read a kept scene; the mask is the picture's alpha channel."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    bgra_hwc = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if bgra_hwc is None or bgra_hwc.shape != (*size_hw, 4):
        return None
    image_hwc = cv2.cvtColor(bgra_hwc, cv2.COLOR_BGRA2RGB)
    return MaskedScene(
        image_hwc=np.asarray(image_hwc, np.uint8),
        vehicle_hw=np.ascontiguousarray(bgra_hwc[..., 3] // 255),
    )


def _write(scene: MaskedScene, path: Path) -> None:
    """Write a scene under another name first, so that no reader sees half of it."""
    bgr_hwc = cv2.cvtColor(scene.image_hwc, cv2.COLOR_RGB2BGR)
    bgra_hwc = np.dstack([bgr_hwc, scene.vehicle_hw * 255])
    done, png = cv2.imencode('.png', bgra_hwc, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION])
    assert done, 'an 8-bit picture encodes'
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix='.part', delete=False) as file:
        part = Path(file.name)
    try:
        part.write_bytes(png.tobytes())
        part.replace(path)
    except OSError:
        part.unlink()
        raise
