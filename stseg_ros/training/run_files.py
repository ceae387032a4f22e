"""What a training run leaves on disk while it goes: the log and the checkpoints."""

from __future__ import annotations

import csv
import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.paper_unet import PaperUNet, PaperUNetConfig

_LOG_FIELDS = ('stage', 'step', 'loss', 'learning_rate', 'gradient_norm', 'dev_dice')
_LOG_EVERY = 50
# What reading some other file as a checkpoint raises.
_NOT_OURS = (
    AttributeError,
    ConfigError,
    EOFError,
    KeyError,
    RuntimeError,
    TypeError,
    UnpicklingError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """What one optimiser step tells.

    Attributes:
        loss: before the step.
        learning_rate: used in the step.
        gradient_norm: before clipping.
    """

    loss: float
    learning_rate: float
    gradient_norm: float


class RunLog:
    """Appends to `log.csv`: the mean loss of every 50 steps, and every held-out score.

    Attributes:
        mean_loss: of the last full 50 steps; not a number before.
    """

    def __init__(self, path: Path, stage: str) -> None:
        """Open the log.

        Args:
            path: the file; it gets a header if it is new.
            stage: goes into every row.
        """
        self.mean_loss = math.nan
        self._path = path
        self._stage = stage
        self._losses: list[float] = []
        if not path.exists():
            with path.open('w', newline='', encoding='utf-8') as stream:
                csv.DictWriter(stream, _LOG_FIELDS).writeheader()

    def add_step(self, step: int, taken: StepTaken) -> None:
        """Note one step.

        Args:
            step: counted from 1.
            taken: what the step gave.
        """
        self._losses.append(taken.loss)
        if len(self._losses) == _LOG_EVERY:
            self.mean_loss = sum(self._losses) / _LOG_EVERY
            self._losses.clear()
            self._write(
                step=step,
                loss=round(self.mean_loss, 5),
                learning_rate=round(taken.learning_rate, 8),
                gradient_norm=round(taken.gradient_norm, 4),
            )

    def add_dev(self, step: int, dev_dice: float) -> None:
        """Note a score on the held-out images.

        Args:
            step: counted from 1.
            dev_dice: pooled hard Dice.
        """
        self._write(step=step, dev_dice=round(dev_dice, 5))

    def _write(self, **values: float) -> None:
        with self._path.open('a', newline='', encoding='utf-8') as stream:
            csv.DictWriter(stream, _LOG_FIELDS).writerow({'stage': self._stage, **values})


def save_checkpoint(path: Path, model: ImageNetwork, **facts: Any) -> None:
    """Write a network, whole or not at all.

    Args:
        path: a `.pt` file.
        model: around a `PaperUNet`.
        facts: plain values to keep with it.
    """
    assert isinstance(model.network, PaperUNet)
    network = dataclasses.asdict(model.network.config)
    part = path.with_suffix('.part')
    torch.save({'network': network, 'state': model.state_dict(), **facts}, part)
    part.replace(path)


def load_checkpoint(path: Path) -> tuple[ImageNetwork, dict[str, Any]]:
    """Read a network that `save_checkpoint` wrote.

    Args:
        path: a `.pt` file.

    Returns:
        The network in evaluation mode, and the facts kept with it.

    Raises:
        StsegError: the file is missing or is no checkpoint of ours.
    """
    if not path.is_file():
        raise StsegError(f'{path} is not there; train that stage first')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
        model = ImageNetwork(PaperUNet(PaperUNetConfig(**content.pop('network'))))
        model.load_state_dict(content.pop('state'))
    except _NOT_OURS as err:
        reason = str(err).splitlines()[0]
        raise StsegError(f'{path} is no checkpoint of this trainer: {reason}') from err
    return model.eval(), content
