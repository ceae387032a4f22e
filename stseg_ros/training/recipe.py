"""What a training run does, read from a strict YAML file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from stseg_ros.bundle import Geometry
from stseg_ros.config import DEFAULT_SELECTOR, SELECTORS
from stseg_ros.datasets.splits import SplitRules
from stseg_ros.datasets.vehicle_datasets import FolderFiles
from stseg_ros.errors import ConfigError
from stseg_ros.networks.architectures import NetworkConfig
from stseg_ros.strict_yaml import build_record, read_mapping
from stseg_ros.training.augment import AugmentConfig
from stseg_ros.training.losses import LOSSES
from stseg_ros.training.prior_config import PriorConfig, fold_of_stage

STAGES = ('coarse', 'refine', 'whole')
SCHEDULES = ('cosine', 'constant')
OPTIMIZERS = ('adamw', 'adam')
EXPORTS = ('last', 'best')


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig(SplitRules):
    """One source of training images, and which of them are kept from training.

    Attributes:
        dataset: a data set of `stseg_ros.datasets.vehicle_datasets`; or 'synthetic', which is
            rendered when training starts.
        folder: folder of the data set below the data root; empty takes the data set's name.
        weight: share of the training crops, relative to the other sources.
        split: split of the data set; None takes its first, which is 'train', or 'all' of plain
            folders. Not used by 'synthetic'.
        files: where 'folders' has its images and masks; None takes images/ and masks/.
        scenes: number of synthetic training scenes.
        dev_scenes: number of synthetic scenes held out.
        size_hw: size of a synthetic scene.
    """

    dataset: str
    folder: str = ''
    weight: float = 1.0
    split: str | None = None
    files: FolderFiles | None = None
    scenes: int = 0
    dev_scenes: int = 0
    size_hw: tuple[int, int] = (720, 1280)

    @property
    def name(self) -> str:
        """What reports call the source: its folder."""
        return self.folder or self.dataset

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: the weight is negative, the split rules contradict each other, a
                synthetic source has no scenes, or a data set with places of its own is given
                others.
        """
        self.check()
        if self.weight < 0:
            raise ConfigError(f'weight of {self.dataset} is {self.weight}; give 0 or more')
        if self.dataset == 'synthetic' and self.scenes < 1:
            raise ConfigError('the synthetic source has no scenes; give scenes: 1 or more')
        if self.files is not None and self.dataset != 'folders':
            raise ConfigError(f"{self.dataset} has places of its own; files is for 'folders'")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """How one network is trained.

    Attributes:
        network: which network, and its size.
        augment: how training views are varied.
        start_from: an earlier stage whose weights this one starts from, of the same network; empty
            for random weights.
        loss: key of `stseg_ros.training.losses.LOSSES`.
        steps: optimiser steps; or give `epochs`.
        epochs: as many steps as it takes to draw as many views as there are training images, this
            many times.
        batch: images per step, over all processes.
        optimizer: 'adamw', or 'adam' as in the paper.
        schedule: after warm-up the learning rate falls to 0 along a cosine, or stays ('constant').
        learning_rate: the highest, after warm-up.
        warmup_steps: steps over which the learning rate rises from 0; 0 for none.
        weight_decay: of the optimiser; the paper has none.
        clip_norm: largest gradient norm; 0 leaves gradients as they are.
        ema: decay per step of the average of the weights, which is then what is scored and saved;
            0 keeps the weights themselves.
        supervise_at: the logits are enlarged this many times before the loss is taken.
        near_vehicles: share of the crops placed near vehicles; not for coarse.
        near_doubt: share of the crops of 'refine' placed where the coarse network is in doubt,
            more often the greater its doubt, see `stseg_ros.training.doubt`; what neither share
            takes is placed anywhere.
        view_hw: size of a training view in the network's input pixels; None takes the input's own
            size.
        dev_every: steps between two scores on the held-out images.
        save_every: steps between two states that a killed training resumes from.
    """

    network: NetworkConfig
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    start_from: str = ''
    loss: str = 'bce_dice'
    steps: int = 0
    epochs: int = 0
    batch: int = 32
    optimizer: str = 'adamw'
    schedule: str = 'cosine'
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-2
    clip_norm: float = 1.0
    ema: float = 0.0
    supervise_at: int = 1
    near_vehicles: float = 0.5
    near_doubt: float = 0.0
    view_hw: tuple[int, int] | None = None
    dev_every: int = 1000
    save_every: int = 500

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a count is below 1, a share is outside [0, 1], or a name is unknown.
        """
        if (self.steps > 0) == (self.epochs > 0) or min(self.steps, self.epochs) < 0:
            raise ConfigError(
                f'steps is {self.steps} and epochs is {self.epochs}; give one of them, 1 or more'
            )
        for name in ('batch', 'supervise_at', 'dev_every', 'save_every'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} is {getattr(self, name)}; give 1 or more')
        if (
            min(self.near_vehicles, self.near_doubt) < 0
            or self.near_vehicles + self.near_doubt > 1
        ):
            raise ConfigError(
                f'near_vehicles is {self.near_vehicles} and near_doubt {self.near_doubt}; give '
                'shares in [0, 1] of no more than 1 together'
            )
        if not 0 <= self.ema < 1:
            raise ConfigError(f'ema is {self.ema}; give a decay in [0, 1), 0 for none')
        for name in ('learning_rate', 'warmup_steps', 'weight_decay', 'clip_norm'):
            if getattr(self, name) < 0:
                raise ConfigError(f'{name} is {getattr(self, name)}; give 0 or more')
        for name, known in (
            ('loss', tuple(LOSSES)),
            ('optimizer', OPTIMIZERS),
            ('schedule', SCHEDULES),
        ):
            check_name(name, getattr(self, name), known)
        if self.start_from:
            check_name('start_from', self.start_from, STAGES[:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole training run: geometry, data and stages.

    Attributes:
        name: name of the bundle that comes of it.
        geometry: working size, coarse factor and regions, as they go into the bundle.
        regions: regions refined per frame by default.
        selector: how they are chosen by default, one of `stseg_ros.config.SELECTORS`.
        sources: where the images come from.
        coarse: the network on the whole frame.
        refine: the network on single regions.
        whole: the baseline of one stage, a network on the whole frame at the working size; None
            for a recipe without.
        priors: how the refine network learns to use the coarse one's logits; used only where
            `geometry.prior` is true.
        export: which weights go into the bundle: the 'last', or the 'best' on the held-out images.
    """

    name: str
    geometry: Geometry
    regions: int
    sources: tuple[SourceConfig, ...]
    coarse: StageConfig
    refine: StageConfig
    whole: StageConfig | None = None
    priors: PriorConfig = field(default_factory=PriorConfig)
    export: str = 'last'
    selector: str = DEFAULT_SELECTOR

    def __post_init__(self) -> None:
        """Check that there is something to train on, and that the regions fit.

        Raises:
            ConfigError: there are no sources, all weights are 0, there are too many regions, or
                `export` or `selector` is unknown.
        """
        check_name('export', self.export, EXPORTS)
        check_name('selector', self.selector, SELECTORS)
        for stage in self.stages:
            first = self.stage(stage).start_from
            if first and self.stages.index(first) >= self.stages.index(stage):
                raise ConfigError(f'{stage} cannot start from {first}, which is trained later')
            if self.stage(stage).near_doubt and stage != 'refine':
                raise ConfigError(f'{stage}: near_doubt is for refine only; leave it out')
        if not 0 <= self.regions <= self.geometry.max_regions:
            raise ConfigError(
                f'regions is {self.regions}; give 0 to max_regions, {self.geometry.max_regions}'
            )
        if sum(source.weight for source in self.sources) <= 0:
            raise ConfigError('sources: none has a weight above 0; name at least one data set')

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages that this recipe trains, in order."""
        own = tuple(name for name in STAGES if getattr(self, name) is not None)
        return (own[0], *self.priors.stages, *own[1:]) if self.geometry.prior else own

    def stage(self, name: str) -> StageConfig:
        """Return the settings of one stage.

        Args:
            name: one of `stages`.

        Returns:
            Its settings.

        Raises:
            ConfigError: the recipe has no such stage.
        """
        if name not in self.stages:
            raise ConfigError(
                f"recipe {self.name} has no stage '{name}', only {', '.join(self.stages)}; "
                f'add a section {name}: to it'
            )
        if fold_of_stage(name) is not None:
            return dataclasses.replace(self.coarse, steps=self.priors.steps, epochs=0)
        config: StageConfig = getattr(self, name)
        return config


def check_name(setting: str, name: str, known: tuple[str, ...]) -> None:
    """Check that a setting names something that there is.

    Args:
        setting: the setting's key.
        name: its value.
        known: the values that there are.

    Raises:
        ConfigError: the value is none of them.
    """
    if name not in known:
        raise ConfigError(f"unknown {setting} '{name}'; give one of {', '.join(known)}")


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
