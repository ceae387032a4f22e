"""The log of a run: one line every 50 steps, and one for every held-out score."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from stseg_ros.errors import StsegError
from stseg_ros.training.learner import StepTaken

LOG = 'log.csv'
TENSORBOARD = 'tensorboard'
LOG_FIELDS = ('stage', 'step', 'loss', 'learning_rate', 'gradient_norm', 'dev_dice')
_LOG_EVERY = 50


class RunLog:
    """Appends to `log.csv`: the mean loss of every 50 steps, and every held-out score.

    Attributes:
        path: the file.
        losses: since the last line.
        mean_loss: of the last full 50 steps; not a number before.
    """

    def __init__(self, run_dir: Path, stage: str, *, tensorboard: bool = False) -> None:
        """Open the log.

        Args:
            run_dir: folder of the run.
            stage: goes into every row.
            tensorboard: write the same for TensorBoard too, which must be installed.
        """
        self.path = run_dir / LOG
        self.losses: list[float] = []
        self.mean_loss = math.nan
        self._stage = stage
        self._writer = _open_tensorboard(run_dir / TENSORBOARD / stage) if tensorboard else None
        if not self.path.exists():
            with self.path.open('w', newline='', encoding='utf-8') as stream:
                csv.DictWriter(stream, LOG_FIELDS).writeheader()

    def go_back(self, length: int, losses: list[float], mean_loss: float) -> None:
        """Drop what was written after a state was saved.

        Args:
            length: of the file at that time, in bytes.
            losses: since the last line, at that time.
            mean_loss: of the last full 50 steps, at that time.

        Raises:
            StsegError: the file is shorter than it was.
        """
        if self.path.stat().st_size < length:
            raise StsegError(
                f'{self.path} is shorter than when the state was saved; delete the run and start '
                'again, or bring the file back'
            )
        with self.path.open('r+b') as stream:
            stream.truncate(length)
        self.losses = list(losses)
        self.mean_loss = mean_loss

    def add_step(self, step: int, taken: StepTaken) -> None:
        """Note one step.

        Args:
            step: counted from 1.
            taken: what the step gave.
        """
        self.losses.append(taken.loss)
        if len(self.losses) == _LOG_EVERY:
            self.mean_loss = sum(self.losses) / _LOG_EVERY
            self.losses.clear()
            self._write(
                step,
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
        self._write(step, dev_dice=round(dev_dice, 5))

    def _write(self, step: int, **values: float) -> None:
        with self.path.open('a', newline='', encoding='utf-8') as stream:
            row = {'stage': self._stage, 'step': step, **values}
            csv.DictWriter(stream, LOG_FIELDS).writerow(row)
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f'{self._stage}/{name}', value, step)
            self._writer.flush()


def _open_tensorboard(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
