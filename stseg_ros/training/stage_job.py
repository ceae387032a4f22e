"""One network to train, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.priors import load_coarse
from stseg_ros.training.recipe import Recipe, StageConfig
from stseg_ros.training.run_files import RGB


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedStage:
    """What a stage tells when it ends, or when someone stopped it.

    Attributes:
        checkpoint_path: the weights that the recipe exports; not there if stopped before the first
            held-out score.
        dev_dice: pooled hard Dice of this network alone on the held-out images.
        step: steps taken.
        seconds: time spent, in all sessions.
        waiting_share: share of it spent waiting for batches.
        finished: whether all steps were taken.
    """

    checkpoint_path: Path
    dev_dice: float
    step: int
    seconds: float
    waiting_share: float
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageJob:
    """One network to train.

    Attributes:
        recipe: geometry and settings.
        stage: one of the recipe's stages.
        train: training images.
        dev: held-out images; their score is logged, and chooses the best weights.
        run_dir: folder of the run; it exists.
        seed: fixes the initial weights and every batch.
        resume: go on from the state in that folder.
        tensorboard: log for TensorBoard too.
    """

    recipe: Recipe
    stage: str
    train: list[LabelledImage]
    dev: list[LabelledImage]
    run_dir: Path
    seed: int
    resume: bool = False
    tensorboard: bool = False

    @property
    def config(self) -> StageConfig:
        """The settings of this stage."""
        return self.recipe.stage(self.stage)

    @property
    def inputs(self) -> int:
        """Channels of the network's input."""
        return self.recipe.geometry.refine_channels if self.stage == 'refine' else RGB

    def coarse(self) -> ImageNetwork | None:
        """Read the coarse network where this one sees what it says.

        Returns:
            The network in evaluation mode, or None.

        Raises:
            StsegError: it has not been trained.
        """
        if self.inputs == RGB:
            return None
        return load_coarse(self.recipe, self.run_dir)
