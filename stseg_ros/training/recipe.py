"""What a training run does, read from a strict YAML file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from stseg_ros.bundle import Geometry
from stseg_ros.errors import ConfigError
from stseg_ros.networks.paper_unet import PaperUNetConfig
from stseg_ros.strict_yaml import build_record, read_mapping
from stseg_ros.training.augment import AugmentConfig
from stseg_ros.training.losses import LOSSES

STAGES = ('coarse', 'refine')


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """One source of training images.

    Attributes:
        dataset: a data set of `stseg_ros.datasets.vehicle_datasets`, found in the folder of that
            name; or 'synthetic', which is rendered when training starts.
        weight: share of the training crops, relative to the other sources.
        split: split of the data set; not used by 'synthetic'.
        dev: file name patterns of the images held out for choosing thresholds.
        scenes: number of synthetic training scenes.
        dev_scenes: number of synthetic scenes held out.
        size_hw: size of a synthetic scene.
    """

    dataset: str
    weight: float = 1.0
    split: str = 'train'
    dev: tuple[str, ...] = ()
    scenes: int = 0
    dev_scenes: int = 0
    size_hw: tuple[int, int] = (720, 1280)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: the weight is negative, or a synthetic source has no scenes.
        """
        if self.weight < 0:
            raise ConfigError(f'weight of {self.dataset} is {self.weight}; give 0 or more')
        if self.dataset == 'synthetic' and self.scenes < 1:
            raise ConfigError('the synthetic source has no scenes; give scenes: 1 or more')


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """How one network is trained.

    Attributes:
        network: size of the network.
        augment: how training views are varied.
        loss: key of `stseg_ros.training.losses.LOSSES`.
        steps: optimiser steps.
        batch: images per step.
        learning_rate: the highest, after warm-up; it then falls to 0 along a cosine.
        warmup_steps: steps over which the learning rate rises from 0.
        weight_decay: of AdamW.
        clip_norm: largest gradient norm.
        supervise_at: the logits are enlarged this many times before the loss is taken.
        near_vehicles: share of the refine crops placed near vehicles, the rest anywhere.
        dev_every: steps between two scores on the held-out images.
    """

    network: PaperUNetConfig
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: str = 'bce_dice'
    steps: int = 1000
    batch: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-2
    clip_norm: float = 1.0
    supervise_at: int = 1
    near_vehicles: float = 0.5
    dev_every: int = 1000

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a count is below 1, a share is outside [0, 1], or the loss is unknown.
        """
        for name in ('steps', 'batch', 'supervise_at', 'dev_every'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} is {getattr(self, name)}; give 1 or more')
        if not 0 <= self.near_vehicles <= 1:
            raise ConfigError(f'near_vehicles is {self.near_vehicles}; give a share in [0, 1]')
        if self.loss not in LOSSES:
            raise ConfigError(f"unknown loss '{self.loss}'; give one of {', '.join(LOSSES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole training run: geometry, data and both stages.

    Attributes:
        name: name of the bundle that comes of it.
        geometry: working size, coarse factor and regions, as they go into the bundle.
        regions: regions refined per frame by default.
        sources: where the images come from.
        coarse: the network on the whole frame.
        refine: the network on single regions.
    """

    name: str
    geometry: Geometry
    regions: int
    sources: tuple[SourceConfig, ...]
    coarse: StageConfig
    refine: StageConfig

    def __post_init__(self) -> None:
        """Check that there is something to train on, and that the regions fit.

        Raises:
            ConfigError: there are no sources, all weights are 0, or there are too many regions.
        """
        if not 0 <= self.regions <= self.geometry.max_regions:
            raise ConfigError(
                f'regions is {self.regions}; give 0 to max_regions, {self.geometry.max_regions}'
            )
        if sum(source.weight for source in self.sources) <= 0:
            raise ConfigError('sources: none has a weight above 0; name at least one data set')

    def stage(self, name: str) -> StageConfig:
        """Return the settings of one stage.

        Args:
            name: 'coarse' or 'refine'.

        Returns:
            Its settings.
        """
        return self.coarse if name == 'coarse' else self.refine


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Args:
        path: a YAML file; see `config/train/`.

    Returns:
        The recipe with every value checked.

    Raises:
        ConfigError: the file cannot be read, a key is unknown or missing, or a value is wrong.
    """
    return build_record(Recipe, read_mapping(path), str(path))


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe so that `load_recipe` reads the same back.

    Args:
        recipe: what to write.
        path: the YAML file.
    """
    path.write_text(yaml.safe_dump(dataclasses.asdict(recipe), sort_keys=False), encoding='utf-8')
