"""Folders of images as users have them on disk: KITTI, BDD100K, images with masks, or plain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
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
# KITTI raw has its drives in a folder for the day, and data sets lie side by side in one folder.
_DEPTH = 2
_NAMED_CHOICES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """The images of a folder, in order.

    Attributes:
        layout: 'KITTI raw', 'KITTI semantic', 'BDD100K', 'images and masks' or 'plain'.
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
            BDD100K: the folder above `images/10k`, or that one, for all splits in turn; the folder
            above `images` and `masks`; otherwise the folder of the images themselves. Where it is
            looked below, hidden folders and those that cannot be read are passed over.

    Returns:
        The images. In plain folders 'frame2.png' comes before 'frame10.png'.

    Raises:
        DataError: there is no such folder, it cannot be read, it holds no images in any of these
            layouts or several drives or data sets, or its calibration is malformed.
    """
    try:
        return _open_image_folder(folder)
    except OSError as err:
        raise DataError(
            f'{err.filename or folder}: cannot be read ({err.strerror}); expected a folder of '
            'images that this user may read'
        ) from err


def _open_image_folder(folder: Path) -> ImageFolder:
    if not folder.is_dir():
        raise DataError(f'{folder}: no such folder; expected a folder of images')
    if opens := _known_layout(folder):
        return opens()
    known, plain = _look_below(folder, _DEPTH)
    images = list_images(folder)
    if images and not known:
        return ImageFolder(layout='plain', images=images)
    if len(known) == 1 and not plain and not images:
        # One data set in the folder above it.
        opens = _known_layout(known[0])
        assert opens is not None
        return opens()
    if known or plain:
        raise DataError(_ask_for_one(folder, known, plain, beside_images=bool(images)))
    raise DataError(
        f'{folder}: holds no .jpg or .png images; expected them there, or a KITTI raw drive '
        '(image_02/data), KITTI semantic (training/image_2), BDD100K (images/10k/val), or images/ '
        'beside masks/'
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


def _known_layout(folder: Path) -> Callable[[], ImageFolder] | None:
    """Find out whether a folder itself is a data set.

    Returns:
        What opens it; None for a folder of no known layout.
    """
    camera = _KITTI_CAMERA.fullmatch(folder.resolve().name)
    if camera and (folder / 'data').is_dir():
        return lambda: _open_kitti_raw(folder / 'data')
    if folder.name == 'data' and _KITTI_CAMERA.fullmatch(folder.resolve().parent.name):
        return lambda: _open_kitti_raw(folder)
    if (folder / 'image_02' / 'data').is_dir():
        # The left colour camera stands for the drive.
        return lambda: _open_kitti_raw(folder / 'image_02' / 'data')
    for semantic in (folder / 'training' / 'image_2', folder / 'image_2'):
        if images := list_images(semantic):
            return partial(ImageFolder, layout='KITTI semantic', images=images)
    splits = folder if folder.resolve().name == '10k' else folder / 'images' / '10k'
    if images := tuple(_split_images(splits)):
        return partial(ImageFolder, layout='BDD100K', images=images)
    if (folder / 'masks').is_dir() and (images := list_images(folder / 'images')):
        return partial(ImageFolder, layout='images and masks', images=images)
    return None


def _look_below(folder: Path, depth: int) -> tuple[list[Path], list[Path]]:
    """Find the data sets below a folder, not looking into them.

    Returns:
        Those of known layouts, and folders of images.
    """
    known: list[Path] = []
    plain: list[Path] = []
    for inner in sorted(path for path in folder.iterdir() if not path.name.startswith('.')):
        # A home folder or a mounted disk holds folders that are none of the user's.
        with suppress(OSError):
            if not inner.is_dir():
                continue
            if _known_layout(inner):
                known.append(inner)
            elif list_images(inner):
                plain.append(inner)
            elif depth > 1:
                deeper_known, deeper_plain = _look_below(inner, depth - 1)
                known += deeper_known
                plain += deeper_plain
    return known, plain


def _ask_for_one(
    folder: Path, known: list[Path], plain: list[Path], *, beside_images: bool
) -> str:
    drives = all((path / 'image_02' / 'data').is_dir() for path in known) and not plain
    choices = sorted(str(path.relative_to(folder)) for path in (*known, *plain))
    more = len(choices) - _NAMED_CHOICES
    named = ', '.join(choices[:_NAMED_CHOICES]) + (f' and {more} more' if more > 0 else '')
    what = 'drives' if drives else 'folders of images'
    if beside_images:
        return (
            f'{folder}: holds images itself and data sets below; give one of: {named}, or move '
            'the images to a folder of their own'
        )
    return f'{folder}: holds no images itself but {len(choices)} {what}; give one of: {named}'


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
