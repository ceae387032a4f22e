"""Synthetic scenes on disk, in the layouts of KITTI, of BDD100K, and of plain folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.camera import Camera
from stseg_ros.datasets.synthetic.canvas import SceneClass
from stseg_ros.datasets.synthetic.preview import Preview
from stseg_ros.datasets.synthetic.scenes import Scene, render_drive, render_scene
from stseg_ros.errors import DataError
from stseg_ros.records import UInt8Array

OnImage = Callable[[], object]

# Scenes below this number are left to whoever renders scenes by number, such as training.
_FIRST_SCENE = 1_000_000
PREVIEW_FILE = 'preview.jpg'

# KITTI's semantic labels are the original Cityscapes ids; 1 is the camera car itself.
_KITTI_IDS = {
    SceneClass.ROAD: 7,
    SceneClass.SIDEWALK: 8,
    SceneClass.BUILDING: 11,
    SceneClass.WALL: 12,
    SceneClass.FENCE: 13,
    SceneClass.POLE: 17,
    SceneClass.TRAFFIC_LIGHT: 19,
    SceneClass.TRAFFIC_SIGN: 20,
    SceneClass.VEGETATION: 21,
    SceneClass.TERRAIN: 22,
    SceneClass.SKY: 23,
    SceneClass.PERSON: 24,
    SceneClass.CAR: 26,
    SceneClass.TRUCK: 27,
    SceneClass.BUS: 28,
    SceneClass.IGNORE: 1,
}
_BDD100K_VAL_EVERY = 5
_DRIVE_START = datetime(2025, 6, 2, 9, 0, 0, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Where one scene goes, relative to the data set's folder."""

    image: str
    label: str


def _plain_pair(index: int) -> _Pair:
    return _Pair(image=f'images/{index:06d}.png', label=f'masks/{index:06d}.png')


def _kitti_pair(index: int) -> _Pair:
    name = f'{index:06d}_10.png'
    return _Pair(image=f'training/image_2/{name}', label=f'training/semantic/{name}')


def _bdd100k_pair(index: int) -> _Pair:
    split = 'val' if index % _BDD100K_VAL_EVERY == _BDD100K_VAL_EVERY - 1 else 'train'
    return _Pair(
        image=f'images/10k/{split}/synthetic-{index:06d}.jpg',
        label=f'labels/sem_seg/masks/{split}/synthetic-{index:06d}.png',
    )


def _kitti_label(scene: Scene) -> UInt8Array:
    table = np.zeros(256, np.uint8)
    table[list(_KITTI_IDS)] = list(_KITTI_IDS.values())
    return np.asarray(table[scene.class_hw], dtype=np.uint8)


_LAYOUTS: dict[str, tuple[Callable[[int], _Pair], Callable[[Scene], UInt8Array]]] = {
    'plain': (_plain_pair, lambda scene: scene.mask_hw),
    'kitti': (_kitti_pair, _kitti_label),
    'bdd100k': (_bdd100k_pair, lambda scene: scene.class_hw),
}
DATASET_LAYOUTS = tuple(_LAYOUTS)


def write_dataset(
    folder: Path,
    layout: str,
    *,
    count: int,
    seed: int,
    size_hw: tuple[int, int],
    on_image: OnImage,
) -> None:
    """Write independent scenes and their labels, and a preview of some of them.

    `plain` is images/ and masks/ (255 is vehicle); `kitti` is training/image_2 and
    training/semantic with KITTI's label ids; `bdd100k` is images/10k and labels/sem_seg/masks with
    train ids, every fifth scene in `val`.

    Args:
        folder: absent or empty.
        layout: one of DATASET_LAYOUTS.
        count: number of scenes.
        seed: 0 or above; different seeds share no scene, nor do they with scenes numbered below
            a million.
        size_hw: image size in pixels.
        on_image: called after each scene.

    Raises:
        DataError: the folder holds something already, or cannot be written.
    """
    place, label = _LAYOUTS[layout]
    _claim(folder, sorted({_parent(path) for i in range(count) for path in _files(place(i))}))
    first = (seed + 1) * _FIRST_SCENE
    scenes = (render_scene(first + i, size_hw) for i in range(count))
    for index, scene in enumerate(_previewed(scenes, folder, count, on_image)):
        pair = place(index)
        _write_rgb(folder / pair.image, scene.image_hwc)
        _write(folder / pair.label, label(scene))


def write_drive(
    folder: Path,
    *,
    frames: int,
    rate_hz: float,
    seed: int,
    size_hw: tuple[int, int],
    on_image: OnImage,
) -> None:
    """Write a drive in KITTI's raw layout, its truth masks beside it, and a preview.

    image_02 holds data/ (the frames), mask/ (255 is vehicle) and timestamps.txt;
    calib_cam_to_cam.txt holds the camera.

    Args:
        folder: absent or empty.
        frames: number of frames.
        rate_hz: frames per second.
        seed: 0 or above.
        size_hw: image size in pixels.
        on_image: called after each frame.

    Raises:
        DataError: the folder holds something already, or cannot be written.
    """
    _claim(folder, ['image_02/data', 'image_02/mask'])
    stamps = [_kitti_stamp(round(index * 1e9 / rate_hz)) for index in range(frames)]
    _write_text(folder / 'image_02/timestamps.txt', '\n'.join(stamps) + '\n')
    scenes = render_drive(seed, frames, rate_hz, size_hw)
    for index, scene in enumerate(_previewed(scenes, folder, frames, on_image)):
        if index == 0:
            _write_text(folder / 'calib_cam_to_cam.txt', _kitti_calibration(scene.camera))
        _write_rgb(folder / f'image_02/data/{index:010d}.png', scene.image_hwc)
        _write(folder / f'image_02/mask/{index:010d}.png', scene.mask_hw)


def _previewed(
    scenes: Iterable[Scene], folder: Path, count: int, on_image: OnImage
) -> Iterator[Scene]:
    preview = Preview(count)
    for scene in scenes:
        preview.add(scene)
        yield scene
        on_image()
    _write_rgb(folder / PREVIEW_FILE, preview.sheet())


def _kitti_stamp(offset_ns: int) -> str:
    seconds, rest_ns = divmod(offset_ns, 1_000_000_000)
    moment = _DRIVE_START + timedelta(seconds=seconds)
    return f'{moment:%Y-%m-%d %H:%M:%S}.{rest_ns:09d}'


def _kitti_calibration(camera: Camera) -> str:
    height, width = camera.size_hw
    focal = camera.focal_px
    # KITTI counts from the centre of the first pixel, the camera from its edge.
    cx, cy = camera.centre_xy[0] - 0.5, camera.centre_xy[1] - 0.5
    size, upright = (width, height), (1, 0, 0, 0, 1, 0, 0, 0, 1)
    entries = {
        'S_02': size,
        'K_02': (focal, 0, cx, 0, focal, cy, 0, 0, 1),
        'D_02': (0,) * 5,
        'R_02': upright,
        'T_02': (0,) * 3,
        'S_rect_02': size,
        'R_rect_02': upright,
        'P_rect_02': (focal, 0, cx, 0, 0, focal, cy, 0, 0, 0, 1, 0),
    }
    lines = [f'calib_time: {_DRIVE_START:%d-%b-%Y %H:%M:%S}']
    for key, numbers in entries.items():
        lines.append(f'{key}: ' + ' '.join(f'{number:.9e}' for number in numbers))
    return '\n'.join(lines) + '\n'


def _files(pair: _Pair) -> tuple[str, str]:
    return pair.image, pair.label


def _parent(path: str) -> str:
    return path.rpartition('/')[0]


def _claim(folder: Path, subfolders: Iterable[str]) -> None:
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f'{folder} exists and is not an empty folder; give another --output')
        for subfolder in subfolders:
            (folder / subfolder).mkdir(parents=True)
    except OSError as error:
        raise DataError(f'{folder} cannot be written: {error.strerror or error}') from error


def _write_rgb(path: Path, image_hwc: UInt8Array) -> None:
    _write(path, np.asarray(cv2.cvtColor(image_hwc, cv2.COLOR_RGB2BGR), dtype=np.uint8))


def _write(path: Path, image: UInt8Array) -> None:
    if not cv2.imwrite(str(path), image):
        raise DataError(f'{path} cannot be written; check the space on its disk')


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding='utf-8')
    except OSError as error:
        raise DataError(f'{path} cannot be written: {error.strerror or error}') from error
