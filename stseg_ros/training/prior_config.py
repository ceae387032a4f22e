"""Settings of how the refine network learns to use what the coarse network says."""

from __future__ import annotations

from dataclasses import dataclass

from stseg_ros.errors import ConfigError

_FOLD = 'coarse_fold'


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorConfig:
    """How the refine network learns to use what the coarse network says (`geometry.prior`).

    Of images it was trained on, a coarse network is too right: a refine network would learn to
    copy it. So other coarse networks, each trained without the part of the images that it speaks
    of, stand in for it.

    Attributes:
        folds: parts of the images, and networks.
        steps: optimiser steps of each of these networks.
        variants: colour variations of each image that it is asked about.
        drop: share of the views whose prior is left open.
    """

    folds: int = 2
    steps: int = 1000
    variants: int = 6
    drop: float = 0.1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a count is too small, or the share is outside [0, 1].
        """
        if not 2 <= self.folds <= 9 or self.steps < 1 or self.variants < 1:
            raise ConfigError(
                f'priors: folds {self.folds}, steps {self.steps}, variants {self.variants}; '
                'give 2 to 9 folds, and at least 1 step and 1 variant'
            )
        if not 0 <= self.drop <= 1:
            raise ConfigError(f'priors: drop is {self.drop}; give a share in [0, 1]')

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the coarse networks that stand in."""
        return tuple(f'{_FOLD}{index}' for index in range(self.folds))


def fold_of_stage(stage: str) -> int | None:
    """Find the part of the images that a stage is trained without.

    Args:
        stage: name of a stage.

    Returns:
        Its index, or None for the recipe's own stages.
    """
    return int(stage[len(_FOLD) :]) if stage.startswith(_FOLD) else None


def kind_of_stage(stage: str) -> str:
    """Say what a stage's network sees.

    Args:
        stage: name of a stage.

    Returns:
        'coarse', 'refine' or 'whole'.
    """
    return 'coarse' if stage.startswith(_FOLD) else stage
