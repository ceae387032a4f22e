"""Folders of images as users have them on disk: KITTI raw, KITTI semantic, BDD100K, or plain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.errors import DataError
from stseg_ros.sources.kitti_files import (
    CALIBRATION_FILE,
    CameraCalibration,
    read_kitti_calibration,
)

IMAGE_SUFFIXES = frozenset({'.jpg', '.jpeg', '.png'})
_KITTI_CAMERA = re.compile(r'image_(0[0-3])')
_BDD100K_SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """The images of a folder, in order.

    Attributes:
        layout: 'KITTI raw', 'KITTI semantic', 'BDD100K' or 'plain'.
        images: the image files, one or more.
        stamps_file: KITTI's recorded times of the images, if they lie beside them.
        calibration: the camera, if its calibration lies beside the images.
    """

    layout: str
    images: tuple[Path, ...]
    stamps_file: Path | None = None
    calibration: CameraCalibration | None = None


def open_image_folder(folder: Path) -> ImageFolder:
    """Recognise the layout of a folder and list its images.

    Args:
        folder: KITTI raw: a drive, the date folder or data set above it, a camera folder such as
            `image_02`, or its `data`; KITTI semantic: the folder above `training` or `image_2`;
            BDD100K: the folder above `images/10k`, or that one, for all splits in turn;
            otherwise the folder of the images themselves.

    Returns:
        The images. In plain folders 'frame2.png' comes before 'frame10.png'.

    Raises:
        DataError: there is no such folder, it holds no images in any of these layouts or several
            drives, or its calibration is malformed.
    """
    if not folder.is_dir():
        raise DataError(f'{folder}: no such folder; expected a folder of images')
    kitti_data = _find_kitti_data(folder)
    if kitti_data is not None:
        return _open_kitti_raw(kitti_data)
    for semantic in (folder / 'training' / 'image_2', folder / 'image_2'):
        if images := list_images(semantic):
            return ImageFolder(layout='KITTI semantic', images=images)
    splits = folder if folder.resolve().name == '10k' else folder / 'images' / '10k'
    if images := tuple(_split_images(splits)):
        return ImageFolder(layout='BDD100K', images=images)
    if images := list_images(folder):
        return ImageFolder(layout='plain', images=images)
    raise DataError(
        f'{folder}: holds no .jpg or .png images; expected them there, or a KITTI raw drive '
        '(image_02/data), KITTI semantic (training/image_2) or BDD100K (images/10k/val)'
    )


def list_images(folder: Path) -> tuple[Path, ...]:
    """List the JPEG and PNG files of one folder, numbers in their names counting as numbers.

    Args:
        folder: may be missing.

    Returns:
        The files; empty if there are none.
    """
    if not folder.is_dir():
        return ()
    files = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return tuple(sorted((path for path in files if path.is_file()), key=_natural_key))


def _natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Compare runs of digits by value, other text by character, the full name last."""
    parts = re.split(r'(\d+)', path.stem.lower())
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in parts], path.name


def _split_images(folder: Path) -> Iterator[Path]:
    for split in _BDD100K_SPLITS:
        yield from list_images(folder / split)


def _find_kitti_data(folder: Path) -> Path | None:
    """Find the `data` folder of one camera: the named one, or the left colour camera below.

    Raises:
        DataError: several drives lie below the folder.
    """
    if _KITTI_CAMERA.fullmatch(folder.resolve().name) and (folder / 'data').is_dir():
        return folder / 'data'
    if folder.name == 'data' and _KITTI_CAMERA.fullmatch(folder.resolve().parent.name):
        return folder
    for depth in ('', '*/', '*/*/'):
        found = sorted(path for path in folder.glob(f'{depth}image_02/data') if path.is_dir())
        if len(found) > 1:
            drives = ', '.join(str(path.parent.parent.relative_to(folder)) for path in found)
            raise DataError(f'{folder}: holds {len(found)} drives; give one of: {drives}')
        if found:
            return found[0]
    return None


def _open_kitti_raw(data: Path) -> ImageFolder:
    images = list_images(data)
    if not images:
        raise DataError(f'{data}: holds no .png or .jpg images')
    camera_folder = data.resolve().parent
    matched = _KITTI_CAMERA.fullmatch(camera_folder.name)
    assert matched is not None
    drive = camera_folder.parent
    stamps_file = camera_folder / 'timestamps.txt'
    # In the original archives the calibration lies in the date folder, beside the drives.
    calibrations = [
        folder / CALIBRATION_FILE
        for folder in (drive, drive.parent)
        if (folder / CALIBRATION_FILE).is_file()
    ]
    return ImageFolder(
        layout='KITTI raw',
        images=images,
        stamps_file=stamps_file if stamps_file.is_file() else None,
        calibration=read_kitti_calibration(calibrations[0], matched[1]) if calibrations else None,
    )
