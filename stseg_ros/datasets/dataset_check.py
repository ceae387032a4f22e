"""Read every image of a data set once, and say what is in it and what is wrong with it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stseg_ros.datasets.contact_sheet import MOST_TILES, Tile, draw_tile
from stseg_ros.datasets.labels import IGNORE, VEHICLE
from stseg_ros.datasets.vehicle_datasets import (
    DATASETS,
    SplitFiles,
    VehicleSample,
    load_sample,
)
from stseg_ros.errors import DataError

# Reading is decoding; more threads than this only wait for the disk.
_MOST_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What one image and its label hold.

    Attributes:
        name: of the sample.
        size: of the image, `1242x375`.
        vehicle_share: vehicle pixels by all pixels.
        ignored_share: ignored pixels by all pixels.
    """

    name: str
    size: str
    vehicle_share: float
    ignored_share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitCheck:
    """What one split holds.

    Attributes:
        split: its name.
        files: its files.
        facts: of the images that could be read, sorted by name.
        problems: what is wrong with the others, one line each.
        tiles: small pictures of some images, evenly spread.
    """

    split: str
    files: SplitFiles
    facts: tuple[ImageFacts, ...]
    problems: tuple[str, ...]
    tiles: tuple[Tile, ...]

    def summary(self) -> dict[str, Any]:
        """Return the figures as JSON values; shares are None where no image could be read."""
        vehicle = [fact.vehicle_share for fact in self.facts]
        quantiles = {'min': 0.0, 'median': 0.5, 'max': 1.0}
        ignored = [fact.ignored_share for fact in self.facts]
        return {
            'split': self.split,
            'images': len(self.facts),
            'scenes': len({sample.scene for sample in self.files.samples}),
            'sizes': dict(Counter(fact.size for fact in self.facts).most_common()),
            'vehicle_share': {
                **{
                    name: float(np.quantile(vehicle, place)) if vehicle else None
                    for name, place in quantiles.items()
                },
                'mean': float(np.mean(vehicle)) if vehicle else None,
            },
            'ignored_share': float(np.mean(ignored)) if ignored else None,
            'without_vehicle': [fact.name for fact in self.facts if not fact.vehicle_share],
            'labels_without_image': self.files.labels_alone,
            'known_wrong_labels': list(self.files.wrong_labels),
            'unreadable': list(self.problems),
        }


def guess_datasets(folder: Path) -> list[tuple[str, Path]]:
    """Recognise the data sets that a folder is or holds.

    Args:
        folder: a data set, or a folder with one folder per data set.

    Returns:
        Key of `DATASETS` and folder of each.

    Raises:
        DataError: there is no such folder, or it is and holds no known data set.
    """
    if not folder.is_dir():
        raise DataError(f'{folder} is no folder; give the folder of a data set')
    inner_folders = sorted(path for path in folder.iterdir() if path.is_dir())
    for candidates in ([folder], inner_folders):
        found = [
            (dataset, candidate)
            for candidate in candidates
            for dataset, layout in DATASETS.items()
            if layout.is_at(candidate)
        ]
        if found:
            return found
    known = '; '.join(
        f'{dataset}: {" and ".join(layout.splits[layout.first_split])}'
        for dataset, layout in DATASETS.items()
    )
    raise DataError(f'{folder} is and holds no data set that is known by its folders ({known})')


def check_split(split: str, files: SplitFiles, on_image: Callable[[], object]) -> SplitCheck:
    """Read every image of a split.

    Args:
        split: its name.
        files: what `find_split` returned.
        on_image: called after each image.

    Returns:
        What was found; files that cannot be used are named in it, not raised.
    """
    samples = files.samples
    spread = np.linspace(0, len(samples) - 1, min(MOST_TILES, len(samples))).astype(int)
    look = partial(_look_at, shown=frozenset(samples[index].name for index in spread))
    facts, problems, tiles = [], [], []
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        for found, tile, problem in pool.map(look, samples):
            if found is None:
                problems.append(problem)
            else:
                facts.append(found)
            if tile is not None:
                tiles.append(tile)
            on_image()
    return SplitCheck(
        split=split,
        files=files,
        facts=tuple(facts),
        problems=tuple(problems),
        tiles=tuple(tiles),
    )


def _look_at(
    sample: VehicleSample, shown: frozenset[str]
) -> tuple[ImageFacts | None, Tile | None, str]:
    """Return what an image holds and its picture if it is to be shown, or what is wrong."""
    try:
        image_hwc, vehicle_hw = load_sample(sample)
    except DataError as error:
        return None, None, str(error)
    height, width = vehicle_hw.shape
    facts = ImageFacts(
        name=sample.name,
        size=f'{width}x{height}',
        vehicle_share=np.count_nonzero(vehicle_hw == VEHICLE) / vehicle_hw.size,
        ignored_share=np.count_nonzero(vehicle_hw == IGNORE) / vehicle_hw.size,
    )
    tile = draw_tile(sample.name, image_hwc, vehicle_hw) if sample.name in shown else None
    return facts, tile, ''
