"""Labelled images in memory, from the sources that a recipe names."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from tqdm import tqdm

from stseg_ros.datasets.scene_cache import cached_scene
from stseg_ros.datasets.splits import Parts, divide
from stseg_ros.datasets.vehicle_datasets import VehicleSample, find_samples, load_sample
from stseg_ros.errors import DataError
from stseg_ros.records import Int32Array, UInt8Array
from stseg_ros.training.image_memory import ImageMemory
from stseg_ros.training.recipe import Recipe, SourceConfig

Item = TypeVar('Item')

# Border pixels kept per image: enough to place crops, little to hold.
_MAX_ANCHORS = 2000
_MOST_THREADS = 8
_TRAIN_SCENE_SEED = 10_000
_HELD_OUT_SCENE_SEED = 900_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledImage:
    """One image held in memory.

    Attributes:
        dataset: name of the source it comes from.
        name: its name within the source, or its seed.
        scene: what shows the same street has the same.
        image_hwc: (H, W, 3) uint8 RGB.
        vehicle_hw: (s H, s W) uint8 of 0, 1 and 255 (ignore), s being a whole number.
        anchors_yx: (A, 2) int32 image pixels at vehicle borders; A may be 0.
        weight: probability of being drawn, up to a common factor.
    """

    dataset: str
    name: str
    scene: str
    image_hwc: UInt8Array
    vehicle_hw: UInt8Array
    anchors_yx: Int32Array
    weight: float


def load_images(recipe: Recipe, data_root: Path, *, held_out: bool) -> list[LabelledImage]:
    """Read the images of a recipe's sources, those left out excepted.

    What does not fit into half of the memory is kept in mapped files, see `ImageMemory`.

    Args:
        recipe: names the sources and what is held out or left out.
        data_root: folder with one folder per data set.
        held_out: the held-out images, or those to train on.

    Returns:
        The images; training images are at least one of every source.

    Raises:
        DataError: a data set is missing or incomplete, none of its images is left to train on, or
            an image that one source leaves out is used by another.
    """
    parts_of = _divide_sources(recipe, data_root)
    memory = ImageMemory()
    images: list[LabelledImage] = []
    for index, source in enumerate(recipe.sources):
        if source.dataset == 'synthetic':
            seeds = _scene_seeds(source, held_out=held_out)
            found = _read_all(partial(_scene, source), seeds, source)
        else:
            parts = parts_of[index]
            samples = parts.dev if held_out else parts.train
            found = _read_all(partial(_labelled, source), samples, source)
        read = [_held(image, memory) for image in found]
        if not read and not held_out:
            raise DataError(
                f'{source.name}: every image is held out or left out; shorten its dev and '
                'leave_out patterns'
            )
        weight = source.weight / max(len(read), 1)
        images += [dataclasses.replace(image, weight=weight) for image in read]
    return images


def left_out_samples(recipe: Recipe, data_root: Path) -> dict[str, list[VehicleSample]]:
    """List the images that a recipe keeps from training altogether, to score on.

    Args:
        recipe: names the sources and what is left out.
        data_root: folder with one folder per data set.

    Returns:
        Samples by name of the source; sources that leave out nothing are not in it.

    Raises:
        DataError: as `load_images`.
    """
    found: dict[str, list[VehicleSample]] = {}
    for index, parts in _divide_sources(recipe, data_root).items():
        if parts.left_out:
            found.setdefault(recipe.sources[index].name, []).extend(parts.left_out)
    return found


def source_samples(
    source: SourceConfig, data_root: Path, split: str | None = None
) -> list[VehicleSample]:
    """List the samples of a source, or of another split of its data set.

    Args:
        source: a source that is not synthetic.
        data_root: folder with one folder per data set.
        split: one of the data set's splits; None takes the source's own.

    Returns:
        At least one sample, sorted by name.

    Raises:
        DataError: the data set is missing or incomplete, or has no such split.
    """
    folder = data_root / source.name
    return find_samples(source.dataset, folder, split or source.split, source.files)


def _divide_sources(recipe: Recipe, data_root: Path) -> dict[int, Parts]:
    """Divide the images of all sources on disk, by the sources' places in the recipe."""
    parts_of = {
        index: divide(source_samples(source, data_root), source)
        for index, source in enumerate(recipe.sources)
        if source.dataset != 'synthetic'
    }
    left_out = {s.image_path for parts in parts_of.values() for s in parts.left_out}
    for index, parts in parts_of.items():
        for sample in (*parts.train, *parts.dev):
            if sample.image_path in left_out:
                raise DataError(
                    f"{recipe.sources[index].name}: '{sample.name}' is left out by another "
                    'source of the recipe; leave it out of both'
                )
    return parts_of


def _read_all(
    read: Callable[[Item], LabelledImage], items: Sequence[Item], source: SourceConfig
) -> Iterator[LabelledImage]:
    """Read in threads, in order, never much ahead of who takes the images."""
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    batch = 4 * threads
    with (
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(items), desc=f'reading {source.name}', unit='image', leave=False) as bar,
    ):
        for first in range(0, len(items), batch):
            for image in pool.map(read, items[first : first + batch]):
                yield image
                bar.update()


def _scene_seeds(source: SourceConfig, *, held_out: bool) -> range:
    first = _HELD_OUT_SCENE_SEED if held_out else _TRAIN_SCENE_SEED
    return range(first, first + (source.dev_scenes if held_out else source.scenes))


def _scene(source: SourceConfig, seed: int) -> LabelledImage:
    scene = cached_scene(seed, source.size_hw)
    return _with_anchors(source, (str(seed), str(seed)), scene.image_hwc, scene.vehicle_hw)


def _labelled(source: SourceConfig, sample: VehicleSample) -> LabelledImage:
    image_hwc, vehicle_hw = load_sample(sample)
    return _with_anchors(source, (sample.name, sample.scene), image_hwc, vehicle_hw)


def _with_anchors(
    source: SourceConfig,
    name_and_scene: tuple[str, str],
    image_hwc: UInt8Array,
    vehicle_hw: UInt8Array,
) -> LabelledImage:
    border_hw = cv2.morphologyEx(
        (vehicle_hw == 1).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    )
    anchors_yx = np.argwhere(border_hw).astype(np.int32)
    step = max(1, len(anchors_yx) // _MAX_ANCHORS)
    return LabelledImage(
        dataset=source.name,
        name=name_and_scene[0],
        scene=name_and_scene[1],
        image_hwc=image_hwc,
        vehicle_hw=vehicle_hw,
        anchors_yx=anchors_yx[::step].copy(),
        weight=source.weight,
    )


def _held(image: LabelledImage, memory: ImageMemory) -> LabelledImage:
    return dataclasses.replace(
        image, image_hwc=memory.hold(image.image_hwc), vehicle_hw=memory.hold(image.vehicle_hw)
    )
