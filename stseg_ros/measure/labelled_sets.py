"""Labelled images to score on, read or drawn one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stseg_ros.datasets.scene_cache import cached_scene
from stseg_ros.datasets.vehicle_datasets import VehicleSample, load_sample
from stseg_ros.measure.evaluate import LabelledFrame

# Training draws its scenes from 10,000 and from 900,000 on.
FIRST_SCENE_SEED = 800_000
_SCENE_HW = (720, 1280)


class LabelledSet(Protocol):
    """Labelled images by index.

    Attributes:
        names: one for each image.
    """

    names: tuple[str, ...]

    def load(self, index: int) -> LabelledFrame:
        """Read an image and its truth.

        Args:
            index: below the number of names.

        Returns:
            The image; the same at every call.

        Raises:
            DataError: a file cannot be read.
        """
        ...


class ImagesOnDisk:
    """The samples of a data set; see `LabelledSet`."""

    def __init__(self, samples: Sequence[VehicleSample]) -> None:
        """Take the samples as they are.

        Args:
            samples: at least one.
        """
        self.names = tuple(sample.name for sample in samples)
        self._samples = samples

    def load(self, index: int) -> LabelledFrame:
        """See `LabelledSet.load`."""
        image_hwc, vehicle_hw = load_sample(self._samples[index])
        return LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw, name=self.names[index])


class SyntheticScenes:
    """Synthetic scenes of consecutive seeds, none of which training draws; see `LabelledSet`."""

    def __init__(self, count: int, first_seed: int = FIRST_SCENE_SEED) -> None:
        """Choose the seeds.

        Args:
            count: number of scenes.
            first_seed: of the first.
        """
        self._seeds = range(first_seed, first_seed + count)
        self.names = tuple(str(seed) for seed in self._seeds)

    def load(self, index: int) -> LabelledFrame:
        """See `LabelledSet.load`."""
        scene = cached_scene(self._seeds[index], _SCENE_HW)
        return LabelledFrame(
            image_hwc=scene.image_hwc, vehicle_hw=scene.vehicle_hw, name=self.names[index]
        )
