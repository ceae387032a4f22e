"""The progress bar of a stage, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch
from tqdm import tqdm

Batch = tuple[torch.Tensor, torch.Tensor]


class StageProgress:
    """Hands out batches, shows how training goes, and measures the waiting for batches.

    Attributes:
        seconds: since training of this stage began, over all its sessions.
        waiting_s: part of it that was spent waiting for batches.
    """

    def __init__(self, *, stage: str, steps: int, batch: int, shown: bool) -> None:
        """Start at the first step.

        Args:
            stage: its name.
            steps: how many there are.
            batch: images per step, over all processes.
            shown: whether to show the bar.
        """
        self.seconds = 0.0
        self.waiting_s = 0.0
        self._stage = stage
        self._steps = steps
        self._batch = batch
        self._shown = shown
        self._bar: tqdm[Any] | None = None

    @property
    def waiting_share(self) -> float:
        """Share of the time that was spent waiting for batches, in [0, 1]."""
        return self.waiting_s / self.seconds if self.seconds else 0.0

    def over(self, batches: Iterator[Batch], steps_done: int) -> Iterator[tuple[int, Batch]]:
        """Hand out batches, and show that it goes on.

        Args:
            batches: those that are left.
            steps_done: steps taken in earlier sessions.

        Yields:
            The number of the step, from 1, and its batch.
        """
        earlier_s, started = self.seconds, time.perf_counter()
        # A mean over the whole run would hide that it slowed down.
        with tqdm(
            total=self._steps,
            initial=steps_done,
            desc=self._stage,
            unit='step',
            disable=not self._shown,
            smoothing=0.05,
        ) as self._bar:
            for step in range(steps_done + 1, self._steps + 1):
                asked = time.perf_counter()
                batch = next(batches)
                self.waiting_s += time.perf_counter() - asked
                yield step, batch
                self.seconds = earlier_s + time.perf_counter() - started
                self._bar.update()

    def show(self, loss: float, dev_dice: float) -> None:
        """Put figures beside the bar; they appear at its next refresh.

        Args:
            loss: recent mean.
            dev_dice: the last held-out score.
        """
        assert self._bar is not None
        images_per_s = (self._bar.format_dict['rate'] or 0.0) * self._batch
        self._bar.set_postfix_str(
            f'{images_per_s:.0f} images/s, loss {loss:.3f}, held-out Dice {dev_dice:.3f}, '
            f'waiting for data {self.waiting_share:.0%}',
            refresh=False,
        )
