"""A network, its optimiser, its learning rate and the average of its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from stseg_ros.errors import ConfigError
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.losses import LOSSES, enlarge
from stseg_ros.training.processes import Processes
from stseg_ros.training.recipe import StageConfig
from stseg_ros.training.run_files import RGB, build_model
from stseg_ros.training.weight_average import WeightAverage

_KERNEL_AXES = 4
_OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    'adamw': torch.optim.AdamW,
    'adam': torch.optim.Adam,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """What one optimiser step tells.

    Attributes:
        loss: before the step, of the whole batch.
        learning_rate: used in the step.
        gradient_norm: before clipping.
    """

    loss: float
    learning_rate: float
    gradient_norm: float


class Learner:
    """A network with all that changes it.

    Attributes:
        model: the network in training.
    """

    def __init__(
        self,
        config: StageConfig,
        processes: Processes,
        *,
        inputs: int = RGB,
        start: ImageNetwork | None = None,
    ) -> None:
        """Build the network with weights from PyTorch's current seed.

        Args:
            config: network, loss and schedule.
            processes: those that train it together, and this one's device and number format.
            inputs: channels of its images: 3, or more with what the coarse network says.
            start: a network of the same kind whose weights to start from; channels that it does
                not have start without weight.

        Raises:
            ConfigError: `start` is a network of another kind.
        """
        device, dtype = processes.arithmetic.device, processes.arithmetic.dtype
        self.model = build_model(config.network, inputs=inputs).to(device)
        if start is not None:
            copy_weights(start, self.model)
        # Convolutions run up to 1.5 times faster in this layout, on CPUs with matrix instructions
        # as on GPUs. Batch normalisation on CPUs wants channel counts that are multiples of 16.
        for weight in self.model.parameters():
            weight.data = weight.data.contiguous(memory_format=_layout(weight))
        self._config = config
        self._processes = processes
        self._optimizer = build_optimizer(self.model, config)
        self._steps = 0
        # Only float16 has so narrow a range that gradients vanish without scaling.
        self._scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self._average = WeightAverage(self.model, config.ema) if config.ema else None
        self._shared = processes.share(self.model)

    @property
    def result(self) -> ImageNetwork:
        """The network to score and to save: the average where there is one."""
        return self._average.model if self._average else self.model

    def step(self, image_nhwc: torch.Tensor, labels_nhw: torch.Tensor) -> StepTaken:
        """Take one optimiser step.

        Args:
            image_nhwc: (N, h, w, C) uint8 images, N being this process's share of the batch.
            labels_nhw: (N, s h, s w) uint8 of 0, 1 and 255, s being `supervise_at`.

        Returns:
            Loss and rate of this step; the weights are left alone where the loss is not finite.
        """
        config, arithmetic = self._config, self._processes.arithmetic
        self._shared.train()
        with arithmetic.autocast():
            logits_nhw = self._shared(image_nhwc.to(arithmetic.device, non_blocking=True))
        enlarged_nhw = enlarge(logits_nhw, config.supervise_at)
        labels_nhw = labels_nhw.to(arithmetic.device, non_blocking=True)
        loss = LOSSES[config.loss](enlarged_nhw, labels_nhw, self._processes.pool)
        rate = config.learning_rate * learning_rate_share(self._steps, config)
        norm = math.nan
        # note: this question and the norm's are where the processor waits for a GPU.
        if torch.isfinite(loss):
            norm = self._descend(loss, rate)
        return StepTaken(loss=float(loss.detach()), learning_rate=rate, gradient_norm=norm)

    def state_dict(self) -> dict[str, Any]:
        """Collect all that a later `step` depends on.

        Returns:
            Tensors and plain values; they change with the next step.
        """
        return {
            'model': self.model.state_dict(),
            'average': self._average.model.state_dict() if self._average else None,
            'optimizer': self._optimizer.state_dict(),
            'steps': self._steps,
            'scaler': self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another learner of the same settings was.

        Args:
            state: from `state_dict`.

        Raises:
            KeyError: a part is missing.
            RuntimeError: the weights are of another network.
        """
        self.model.load_state_dict(state['model'])
        if self._average:
            self._average.model.load_state_dict(state['average'])
        self._optimizer.load_state_dict(state['optimizer'])
        self._steps = state['steps']
        self._scaler.load_state_dict(state['scaler'])

    def _descend(self, loss: torch.Tensor, rate: float) -> float:
        """Change the weights and return the norm of the gradient."""
        for group in self._optimizer.param_groups:
            group['lr'] = rate
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        self._scaler.unscale_(self._optimizer)
        limit = self._config.clip_norm or math.inf
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        # A gradient that is not finite would end the training; a step without it does not.
        if math.isfinite(norm):
            self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average:
            self._average.update(self.model, self._steps)
        self._steps += 1
        return norm


@torch.no_grad()
def copy_weights(start: ImageNetwork, model: ImageNetwork) -> None:
    """Make a network compute what another does, whatever its further input channels hold.

    Args:
        start: where the weights come from.
        model: changed.

    Raises:
        ConfigError: the networks differ in more than the number of input channels.
    """
    given, own = start.state_dict(), model.state_dict()
    for name, values in own.items():
        weight = given.get(name, torch.empty(0))
        if weight.ndim == values.ndim == _KERNEL_AXES and weight.shape[1] < values.shape[1]:
            # What the coarse network says comes last of the input channels.
            weight = nn.functional.pad(weight, (0, 0, 0, 0, 0, values.shape[1] - weight.shape[1]))
        if weight.shape != values.shape:
            raise ConfigError(
                f'start_from needs two networks of one kind, but {name} differs; give both stages '
                'the same network'
            )
        values.copy_(weight)


def build_optimizer(model: nn.Module, config: StageConfig) -> torch.optim.Optimizer:
    """Build the optimiser that a recipe names.

    Args:
        model: whose weights it changes.
        config: names it, with its rate and decay.

    Returns:
        The optimiser of all weights.
    """
    return _OPTIMIZERS[config.optimizer](
        model.parameters(),
        lr=config.learning_rate,  # type: ignore[call-arg]
        weight_decay=config.weight_decay,
        # One pass over the weights in place of several: a third of the time for the paper's U-Net.
        fused=True,
    )


def learning_rate_share(step: int, config: StageConfig) -> float:
    """Compute the schedule: a linear rise, then half a cosine down to 0, or no change.

    Args:
        step: steps taken so far.
        config: gives the length of the rise and of the whole.

    Returns:
        Share of the full learning rate, in [0, 1].
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == 'constant':
        return 1.0
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def _layout(weight: torch.Tensor) -> torch.memory_format:
    return torch.channels_last if weight.ndim == _KERNEL_AXES else torch.contiguous_format
