"""Labelled images in memory, from the sources that a recipe names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.datasets.vehicle_datasets import find_samples, load_sample
from stseg_ros.errors import DataError
from stseg_ros.records import Int32Array, UInt8Array
from stseg_ros.training.recipe import Recipe, SourceConfig

# Border pixels kept per image: enough to place crops, little to hold.
_MAX_ANCHORS = 2000
_TRAIN_SCENE_SEED = 10_000
_HELD_OUT_SCENE_SEED = 900_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledImage:
    """One image held in memory.

    Attributes:
        dataset: the source it comes from.
        name: its file name without suffix, or its seed.
        image_hwc: (H, W, 3) uint8 RGB.
        vehicle_hw: (s H, s W) uint8 of 0, 1 and 255 (ignore), s being a whole number.
        anchors_yx: (A, 2) int32 image pixels at vehicle borders; A may be 0.
        weight: probability of being drawn, up to a common factor.
    """

    dataset: str
    name: str
    image_hwc: UInt8Array
    vehicle_hw: UInt8Array
    anchors_yx: Int32Array
    weight: float


def load_images(recipe: Recipe, data_root: Path, *, held_out: bool) -> list[LabelledImage]:
    """Read the images of a recipe's sources into memory.

    Args:
        recipe: names the sources and what is held out.
        data_root: folder with one folder per data set.
        held_out: the held-out images, or all others.

    Returns:
        The images; training images are at least one.

    Raises:
        DataError: a data set is missing or incomplete, or all its images are held out.
    """
    images = []
    for source in recipe.sources:
        read = _render if source.dataset == 'synthetic' else _read
        pairs = list(read(source, data_root, held_out))
        if not pairs and not held_out:
            raise DataError(f'{source.dataset}: every image is held out; shorten its dev patterns')
        images += [
            _labelled(source.dataset, name, image_hwc, vehicle_hw, source.weight / len(pairs))
            for name, image_hwc, vehicle_hw in pairs
        ]
    return images


def _read(
    source: SourceConfig, data_root: Path, held_out: bool
) -> Iterator[tuple[str, UInt8Array, UInt8Array]]:
    samples = [
        sample
        for sample in find_samples(source.dataset, data_root / source.dataset, source.split)
        if held_out == any(fnmatch(sample.name, pattern) for pattern in source.dev)
    ]
    for sample in tqdm(samples, desc=f'reading {source.dataset}', unit='image', leave=False):
        yield sample.name, *load_sample(sample)


def _render(
    source: SourceConfig, data_root: Path, held_out: bool
) -> Iterator[tuple[str, UInt8Array, UInt8Array]]:
    del data_root
    first = _HELD_OUT_SCENE_SEED if held_out else _TRAIN_SCENE_SEED
    seeds = range(first, first + (source.dev_scenes if held_out else source.scenes))
    for seed in tqdm(seeds, desc='rendering scenes', unit='scene', leave=False):
        scene = render_scene(seed, source.size_hw)
        yield str(seed), scene.image_hwc, (scene.mask_hw > 0).astype(np.uint8)


def _labelled(
    dataset: str, name: str, image_hwc: UInt8Array, vehicle_hw: UInt8Array, weight: float
) -> LabelledImage:
    border_hw = cv2.morphologyEx(
        (vehicle_hw == 1).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    )
    anchors_yx = np.argwhere(border_hw).astype(np.int32)
    step = max(1, len(anchors_yx) // _MAX_ANCHORS)
    return LabelledImage(
        dataset=dataset,
        name=name,
        image_hwc=image_hwc,
        vehicle_hw=vehicle_hw,
        anchors_yx=anchors_yx[::step],
        weight=weight,
    )
