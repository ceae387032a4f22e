"""Labelled driving images on disk: find the pairs, and read them as image and vehicle mask.

Each data set is expected in the folder layout its users download. Labels become three values:
0 background, 1 vehicle, 255 ignore (not labelled, or not evaluated by the set's own rules).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.errors import DataError
from stseg_ros.records import UInt8Array

BACKGROUND, VEHICLE, IGNORE = 0, 1, 255

# In this frame a wood is labelled bus and the own bonnet car: a known fault of BDD100K itself.
_BDD100K_WRONG_LABELS = frozenset({'00d79c0a-23bea078'})

_IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp')


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSample:
    """One image on disk and its label file.

    Attributes:
        image_path: colour image.
        label_path: single-channel label image of the same size.
        name: the image's file name without suffix, unique within its data set and split.
        dataset: key of `DATASETS`, which says how to read the labels.
    """

    image_path: Path
    label_path: Path
    name: str
    dataset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLayout:
    """Where a data set keeps its files, and what its label values mean.

    Attributes:
        splits: split name to (image folder, label folder), relative to the data set's root.
        vehicle_ids: label values that count as vehicle.
        ignore_ids: label values that are left out of loss and scores.
        left_out: names that are never returned because their labels are known to be wrong.
    """

    splits: dict[str, tuple[str, str]]
    vehicle_ids: tuple[int, ...]
    ignore_ids: tuple[int, ...]
    left_out: frozenset[str] = frozenset()


DATASETS: dict[str, DatasetLayout] = {
    'camvid': DatasetLayout(
        splits={name: (name, f'{name}annot') for name in ('train', 'val', 'test')},
        vehicle_ids=(8,),
        ignore_ids=(11, 255),
    ),
    'kitti': DatasetLayout(
        splits={'train': ('training/image_2', 'training/semantic')},
        vehicle_ids=(26, 27, 28, 29, 30, 31),
        ignore_ids=(0, 1, 2, 3, 4, 5, 6, 255),
    ),
    'bdd100k': DatasetLayout(
        splits={
            name: (f'images/10k/{name}', f'labels/sem_seg/masks/{name}')
            for name in ('train', 'val')
        },
        vehicle_ids=(13, 14, 15, 16),
        ignore_ids=(255,),
        left_out=_BDD100K_WRONG_LABELS,
    ),
    # Plain folders: a mask is 0 where there is no vehicle and anything else where there is one.
    'folders': DatasetLayout(
        splits={'all': ('images', 'masks')}, vehicle_ids=tuple(range(1, 256)), ignore_ids=()
    ),
}


def find_samples(dataset: str, root: Path, split: str) -> list[VehicleSample]:
    """List the image and label pairs of one split, sorted by name.

    Args:
        dataset: key of `DATASETS`.
        root: folder of the data set, such as `.../camvid`.
        split: one of the data set's splits, such as 'train'; 'all' for plain folders.

    Returns:
        At least one sample.

    Raises:
        DataError: the data set or split is unknown, a folder is missing or empty, or images lack
            their labels.
    """
    layout = DATASETS.get(dataset)
    if layout is None:
        raise DataError(f"unknown data set '{dataset}'; give one of {', '.join(DATASETS)}")
    if split not in layout.splits:
        known = ', '.join(layout.splits)
        raise DataError(f"{dataset} has no split '{split}'; give one of {known}")
    image_folder, label_folder = (root / folder for folder in layout.splits[split])
    return [
        VehicleSample(image_path=image, label_path=label, name=image.stem, dataset=dataset)
        for image, label in pair_by_stem(image_folder, label_folder)
        if image.stem not in layout.left_out
    ]


def pair_by_stem(image_folder: Path, label_folder: Path) -> list[tuple[Path, Path]]:
    """Pair images with the labels of the same file name, whatever the suffixes.

    Args:
        image_folder: folder of the images.
        label_folder: folder of the labels.

    Returns:
        (image, label) paths sorted by name, at least one.

    Raises:
        DataError: a folder is missing or holds no images, or an image has no label.
    """
    images = _images_by_stem(image_folder)
    labels = _images_by_stem(label_folder)
    missing = sorted(images.keys() - labels.keys())
    if missing:
        raise DataError(
            f'{len(missing)} of {len(images)} images in {image_folder} have no label of the same '
            f"name in {label_folder} ({len(labels)} found), first '{missing[0]}'; "
            'complete the download'
        )
    return [(images[stem], labels[stem]) for stem in sorted(images)]


def load_sample(sample: VehicleSample) -> tuple[UInt8Array, UInt8Array]:
    """Read an image and its vehicle mask.

    Args:
        sample: what `find_samples` returned.

    Returns:
        image_hwc (H, W, 3) uint8 RGB, and vehicle_hw (H, W) uint8 of 0, 1 and 255 (ignore).

    Raises:
        DataError: a file cannot be read, or image and label differ in size.
    """
    image_bgr = _read(sample.image_path, cv2.IMREAD_COLOR)
    label_hw = _read(sample.label_path, cv2.IMREAD_UNCHANGED)
    if label_hw.ndim != 2:
        raise DataError(
            f'{sample.label_path} has {label_hw.shape[2]} channels; '
            'a label is a single-channel image'
        )
    if image_bgr.shape[:2] != label_hw.shape:
        raise DataError(
            f'{sample.image_path} is {image_bgr.shape[:2]} but its label is {label_hw.shape} '
            '(height, width); give a label of the same size'
        )
    image_hwc = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
    return np.asarray(image_hwc, np.uint8), vehicle_mask(label_hw, DATASETS[sample.dataset])


def vehicle_mask(label_hw: UInt8Array, layout: DatasetLayout) -> UInt8Array:
    """Turn a data set's own label values into background, vehicle and ignore.

    Args:
        label_hw: (H, W) uint8 label values.
        layout: what the values mean.

    Returns:
        (H, W) uint8 of 0, 1 and 255.
    """
    table = np.full(256, BACKGROUND, np.uint8)
    table[list(layout.vehicle_ids)] = VEHICLE
    table[list(layout.ignore_ids)] = IGNORE
    return np.asarray(table[label_hw], np.uint8)


def _images_by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f'{folder} is not there; it should hold images of the data set')
    found = {
        path.stem: path for path in folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES
    }
    if not found:
        raise DataError(f'{folder} holds no images (looked for {", ".join(_IMAGE_SUFFIXES)})')
    return found


def _read(path: Path, flags: int) -> UInt8Array:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise DataError(f'{path} cannot be read as an image; the file may be incomplete')
    if image.dtype != np.uint8:
        raise DataError(f'{path} has {image.dtype} values; 8-bit images are expected')
    return np.asarray(image, np.uint8)
