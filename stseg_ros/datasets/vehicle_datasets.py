"""Labelled driving images on disk: find the pairs, and read them as image and vehicle mask.

Each data set is expected in the folder layout its users download. Labels become three values:
0 background, 1 vehicle, 255 ignore (not labelled, or not evaluated by the set's own rules).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.datasets.dataset_layout import DatasetLayout
from stseg_ros.datasets.labels import LabelIds, read_image, read_vehicle_mask
from stseg_ros.datasets.pairing import FilePair, pair_files
from stseg_ros.errors import ConfigError, DataError
from stseg_ros.records import UInt8Array

# In this frame a wood is labelled bus and the own bonnet car: a known fault of BDD100K itself.
_BDD100K_WRONG_LABELS = frozenset({'00d79c0a-23bea078'})


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSample:
    """One image on disk and its label file.

    Attributes:
        image_path: colour image.
        label_path: single-channel label image of the same size.
        name: the image's file name without suffix, with its sub-folder before it where a pattern
            spans several; unique within its data set and split.
        dataset: key of `DATASETS`.
        scene: what shows the same street as its neighbours; a split by scene never divides it.
        ids: how to read the label.
    """

    image_path: Path
    label_path: Path
    name: str
    dataset: str
    scene: str
    ids: LabelIds


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFiles:
    """Where plain folders keep their images and masks, and what the masks' values mean.

    `images` and `masks` are folders or patterns relative to the data set's folder, see
    `stseg_ros.datasets.pairing.pair_files`: `images: '*/rgb/*.jpg'`, `masks: '*/gt/*_mask.png'`.

    Attributes:
        images: folder or pattern of the images.
        masks: folder or pattern of the masks, PNG, BMP or TIFF.
        vehicle_ids: mask values that count as vehicle; empty takes all but 0 and `ignore_ids`.
        ignore_ids: mask values that are left out of loss and scores.
        scene_pattern: regular expression that finds the scene in an image's name, such as
            `^[^-]+`; empty takes the sub-folder, and without one every image for itself.
    """

    images: str = 'images'
    masks: str = 'masks'
    vehicle_ids: tuple[int, ...] = ()
    ignore_ids: tuple[int, ...] = ()
    scene_pattern: str = ''

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a pattern leaves the data set's folder, an id is not one of an 8-bit
                image, or the scene pattern is no regular expression.
        """
        for name in ('images', 'masks'):
            pattern = getattr(self, name)
            if not pattern or pattern.startswith('/') or '..' in pattern.split('/'):
                raise ConfigError(
                    f"{name} is '{pattern}'; give a folder or pattern inside the data set's "
                    "folder, such as 'images' or 'images/*/*.png'"
                )
        wrong = [i for i in (*self.vehicle_ids, *self.ignore_ids) if not 0 <= i <= 255]
        both = set(self.vehicle_ids) & set(self.ignore_ids)
        if wrong or both:
            raise ConfigError(
                f'vehicle_ids {list(self.vehicle_ids)} and ignore_ids {list(self.ignore_ids)}: '
                'give values of 0 to 255, none of them in both'
            )
        try:
            re.compile(self.scene_pattern)
        except re.error as error:
            raise ConfigError(
                f"scene_pattern '{self.scene_pattern}' is no regular expression: {error}"
            ) from error


DATASETS: dict[str, DatasetLayout] = {
    # Its names start with the drive: 0006R0_f00930.
    'camvid': DatasetLayout(
        splits={name: (name, f'{name}annot') for name in ('train', 'val', 'test')},
        ids=LabelIds(vehicle=(8,), ignore=(11, 255), background=(*range(8), 9, 10)),
        advice='complete the download of CamVid in its SegNet form (train, trainannot, ...)',
        scene_pattern='^[^_]+',
        wrappers=('CamVid',),
    ),
    # Neighbouring numbers are mostly one street, so a run of ten numbers is taken for a scene.
    'kitti': DatasetLayout(
        splits={'train': ('training/image_2', 'training/semantic')},
        ids=LabelIds(
            vehicle=(26, 27, 28, 29, 30, 31),
            ignore=(0, 1, 2, 3, 4, 5, 6, 255),
            background=(*range(7, 26), 32, 33),
        ),
        advice='unpack data_semantics.zip of the KITTI semantic segmentation benchmark there',
        scene_pattern=r'^\d{5}',
        wrappers=('data_semantics',),
    ),
    # Its names start with the video: 00e9be89-00000015.
    'bdd100k': DatasetLayout(
        splits={
            name: (f'images/10k/{name}', f'labels/sem_seg/masks/{name}')
            for name in ('train', 'val')
        },
        ids=LabelIds(vehicle=(13, 14, 15, 16), ignore=(255,), background=(*range(13), 17, 18)),
        advice="unpack BDD100K's '10K Images' and its labels 'Segmentation' there",
        scene_pattern='^[^-]+',
        wrappers=('bdd100k',),
        wrong_labels=_BDD100K_WRONG_LABELS,
    ),
    'folders': DatasetLayout(
        splits={'all': ('images', 'masks')},
        ids=LabelIds(vehicle=tuple(range(1, 256))),
        advice='give every image a mask of the same name, or other patterns for images and masks',
    ),
}


def dataset_layout(dataset: str, files: FolderFiles | None = None) -> DatasetLayout:
    """Return the layout of a data set.

    Args:
        dataset: key of `DATASETS`.
        files: where 'folders' has its files; None takes images/ and masks/.

    Returns:
        Its layout.

    Raises:
        DataError: the data set is unknown.
        ConfigError: `files` is given for a data set that has its own places.
    """
    layout = DATASETS.get(dataset)
    if layout is None:
        raise DataError(f"unknown data set '{dataset}'; give one of {', '.join(DATASETS)}")
    if files is None:
        return layout
    if dataset != 'folders':
        raise ConfigError(f"{dataset} has places of its own; give files to 'folders' only")
    vehicle = files.vehicle_ids or tuple(sorted({*range(1, 256)} - {*files.ignore_ids}))
    return DatasetLayout(
        splits={'all': (files.images, files.masks)},
        ids=LabelIds(vehicle=vehicle, ignore=files.ignore_ids),
        advice=layout.advice,
        scene_pattern=files.scene_pattern,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFiles:
    """The files of one split.

    Attributes:
        samples: at least one, sorted by name.
        labels_alone: number of labels that have no image.
        wrong_labels: names that are not in `samples` because their labels are known to be wrong.
    """

    samples: tuple[VehicleSample, ...]
    labels_alone: int
    wrong_labels: tuple[str, ...]


def find_samples(
    dataset: str, root: Path, split: str | None = None, files: FolderFiles | None = None
) -> list[VehicleSample]:
    """List the image and label pairs of one split, sorted by name; see `find_split`."""
    return list(find_split(dataset, root, split, files).samples)


def find_split(
    dataset: str, root: Path, split: str | None = None, files: FolderFiles | None = None
) -> SplitFiles:
    """Find the image and label pairs of one split.

    Args:
        dataset: key of `DATASETS`.
        root: folder of the data set, such as `.../camvid`.
        split: one of the data set's splits; None takes the first, which is 'train', or 'all' of
            plain folders.
        files: where 'folders' has its files; None takes images/ and masks/.

    Returns:
        At least one sample.

    Raises:
        DataError: the data set or split is unknown, a folder is missing or empty, or images lack
            their labels.
        ConfigError: `files` is given for a data set that has its own places.
    """
    layout = dataset_layout(dataset, files)
    split = split or layout.first_split
    if split not in layout.splits:
        known = ', '.join(layout.splits)
        raise DataError(f"{dataset} has no split '{split}'; give one of {known}")
    if not root.is_dir():
        raise DataError(f'{dataset}: {root} is no folder; {layout.advice}')
    images, labels = layout.splits[split]
    pairs, labels_alone = pair_files(
        layout.inner_root(root),
        images,
        labels,
        what=dataset if len(layout.splits) == 1 else f'{dataset} {split}',
        advice=layout.advice,
    )
    right = [pair for pair in pairs if pair.name not in layout.wrong_labels]
    return SplitFiles(
        samples=tuple(_sample(pair, dataset, layout) for pair in right),
        labels_alone=labels_alone,
        wrong_labels=tuple(pair.name for pair in pairs if pair.name in layout.wrong_labels),
    )


def load_sample(sample: VehicleSample) -> tuple[UInt8Array, UInt8Array]:
    """Read an image and its vehicle mask.

    Args:
        sample: what `find_samples` returned.

    Returns:
        image_hwc (H, W, 3) uint8 RGB, and vehicle_hw (H, W) uint8 of 0, 1 and 255 (ignore).

    Raises:
        DataError: a file cannot be read or is cut short, image and label differ in size, or the
            label has values that the data set does not have.
    """
    image_hwc = read_image(sample.image_path)
    vehicle_hw = read_vehicle_mask(sample.label_path, sample.ids)
    if image_hwc.shape[:2] != vehicle_hw.shape:
        (image_h, image_w), (label_h, label_w) = image_hwc.shape[:2], vehicle_hw.shape
        raise DataError(
            f'{sample.image_path} is {image_w}x{image_h} but its label {sample.label_path} is '
            f'{label_w}x{label_h}; give a label of the same size'
        )
    return image_hwc, vehicle_hw


def _sample(pair: FilePair, dataset: str, layout: DatasetLayout) -> VehicleSample:
    return VehicleSample(
        image_path=pair.image_path,
        label_path=pair.label_path,
        name=pair.name,
        dataset=dataset,
        scene=_scene(pair, layout.scene_pattern),
        ids=layout.ids,
    )


def _scene(pair: FilePair, pattern: str) -> str:
    """Return the scene of an image; an image that the pattern does not fit is one of its own."""
    if not pattern:
        return pair.parts[0]
    matched = re.search(pattern, pair.name)
    return matched[0] if matched else pair.name
