"""Train one network of a recipe: a loop to read from top to bottom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from stseg_ros.errors import StsegError
from stseg_ros.measure.pixel_metrics import dice
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.paper_unet import PaperUNet
from stseg_ros.training.batches import StepBatches, draw_ahead
from stseg_ros.training.held_out import draw_preview, score_held_out
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.losses import LOSSES
from stseg_ros.training.recipe import Recipe, StageConfig
from stseg_ros.training.run_files import RunLog, StepTaken, save_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedStage:
    """What a finished stage tells.

    Attributes:
        checkpoint_path: weights, network size and the step they were saved at.
        dev_dice: pooled hard Dice of this network alone on the held-out images.
    """

    checkpoint_path: Path
    dev_dice: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageJob:
    """One network to train.

    Attributes:
        recipe: geometry and settings.
        stage: 'coarse' or 'refine'.
        train: training images.
        dev: held-out images; their score is logged, and never chooses the weights.
        run_dir: folder of the run; it exists.
        seed: fixes the initial weights and every batch.
    """

    recipe: Recipe
    stage: str
    train: list[LabelledImage]
    dev: list[LabelledImage]
    run_dir: Path
    seed: int


def train_stage(job: StageJob) -> TrainedStage:
    """Train one network and write its checkpoint, log and preview.

    Args:
        job: the network, its data, and where to write.

    Returns:
        Where the last weights are, and their score.

    Raises:
        StsegError: the loss became infinite or not a number.
    """
    recipe, stage = job.recipe, job.stage
    config = recipe.stage(stage)
    torch.manual_seed(job.seed)
    learner = Learner(config)
    batches = StepBatches(images=job.train, recipe=recipe, stage=stage, seed=job.seed)
    log = RunLog(job.run_dir / 'log.csv', stage)
    path = job.run_dir / f'{stage}.pt'
    dev_dice = math.nan

    drawn = draw_ahead(batches, 0, config.steps)
    progress = tqdm(drawn, total=config.steps, desc=stage, unit='batch')
    for step, (image_nhwc, labels_nhw) in enumerate(progress, start=1):
        taken = learner.step(image_nhwc, labels_nhw)
        if not math.isfinite(taken.loss):
            raise StsegError(f'{stage}: loss is {taken.loss} at step {step}; lower learning_rate')
        log.add_step(step, taken)
        _show(progress, config.batch, log.mean_loss, dev_dice)
        if step % config.dev_every == 0 or step == config.steps:
            model = learner.model.eval()
            dev_dice = dice(score_held_out(model, job.dev, recipe, stage))
            log.add_dev(step, dev_dice)
            draw_preview(model, job.dev, recipe, stage, job.run_dir / f'preview_{stage}.png')
            save_checkpoint(path, model, stage=stage, step=step, dev_dice=dev_dice)
    return TrainedStage(checkpoint_path=path, dev_dice=dev_dice)


class Learner:
    """A network with its optimiser and its learning-rate schedule.

    Attributes:
        model: the network.
    """

    def __init__(self, config: StageConfig) -> None:
        """Build the network with weights from PyTorch's current seed.

        Args:
            config: network, loss and schedule.
        """
        self.model = ImageNetwork(PaperUNet(config.network))
        # Convolutions on CPUs with matrix instructions run up to 1.5 times faster in this layout.
        for weight in self.model.parameters():
            weight.data = weight.data.contiguous(memory_format=_layout(weight))
        self._config = config
        self._mixed_precision = has_fast_bfloat16()
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: learning_rate_share(step, config)
        )

    def step(self, image_nhwc: torch.Tensor, labels_nhw: torch.Tensor) -> StepTaken:
        """Take one optimiser step.

        Args:
            image_nhwc: (N, h, w, 3) uint8 RGB.
            labels_nhw: (N, s h, s w) uint8 of 0, 1 and 255, s being `supervise_at`.

        Returns:
            Loss and rate of this step; the weights are left alone where the loss is not finite.
        """
        config = self._config
        self.model.train()
        with torch.autocast('cpu', torch.bfloat16, enabled=self._mixed_precision):
            logits_nhw = self.model(image_nhwc)
        loss = LOSSES[config.loss](_enlarge(logits_nhw, config.supervise_at), labels_nhw)
        rate = float(self._schedule.get_last_lr()[0])
        norm = math.nan
        if torch.isfinite(loss):
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm))
            self._optimizer.step()
            self._schedule.step()
        return StepTaken(loss=float(loss.detach()), learning_rate=rate, gradient_norm=norm)


def has_fast_bfloat16() -> bool:
    """Ask the processor whether it multiplies in bfloat16; elsewhere float32 is faster.

    Returns:
        True for AVX-512 BF16 and AMX; False also where PyTorch is too old to say.
    """
    if not hasattr(torch.cpu, 'get_capabilities'):
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get('avx512_bf16') or capabilities.get('amx_bf16'))


def learning_rate_share(step: int, config: StageConfig) -> float:
    """Compute the schedule: a linear rise, then half a cosine down to 0.

    Args:
        step: steps taken so far.
        config: gives the length of the rise and of the whole.

    Returns:
        Share of the full learning rate, in [0, 1].
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def _show(progress: tqdm[Any], batch: int, loss: float, dev_dice: float) -> None:
    images_per_s = (progress.format_dict['rate'] or 0.0) * batch
    progress.set_postfix_str(
        f'{images_per_s:.0f} images/s, loss {loss:.3f}, held-out Dice {dev_dice:.3f}',
        refresh=False,
    )


def _enlarge(logits_nhw: torch.Tensor, times: int) -> torch.Tensor:
    if times == 1:
        return logits_nhw
    enlarged = functional.interpolate(
        logits_nhw[:, None], scale_factor=times, mode='bilinear', align_corners=False
    )
    return enlarged[:, 0]


def _layout(weight: torch.Tensor) -> torch.memory_format:
    return torch.channels_last if weight.ndim == 4 else torch.contiguous_format
