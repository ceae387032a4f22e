"""Losses on logits, with ignored pixels left out, in few passes over the pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

_FOCAL_GAMMA = 2.0
_FOCAL_ALPHA = 0.25
_DICE_SMOOTH = 1.0
# Sure enough of background that loss and gradient are exactly 0 in float32.
_SURELY_BACKGROUND = -1.0e4

# Adds sums of several processes; the identity for one.
Pool = Callable[[torch.Tensor], torch.Tensor]
SegmentationLoss = Callable[[torch.Tensor, torch.Tensor, Pool], torch.Tensor]


def alone(sums: torch.Tensor) -> torch.Tensor:
    """Pool the sums of a single process: leave them as they are."""
    return sums


def focal_dice_loss(
    logits: torch.Tensor, target: torch.Tensor, pool: Pool = alone
) -> torch.Tensor:
    """Add focal loss (gamma 2, alpha 0.25) and 1 - Dice: the paper's loss.

    Args:
        logits: (N, h, w) float32.
        target: (N, h, w) uint8 of 0, 1 and 255 (ignore).
        pool: adds sums over the processes that share the batch.

    Returns:
        Scalar loss of the whole batch; 0 where every pixel is ignored.
    """
    logits, truth, valid = _hide_ignored(logits, target)
    probability = torch.sigmoid(logits)
    cross_entropy = functional.softplus(logits) - logits * truth
    alpha = (1.0 - _FOCAL_ALPHA) - (1.0 - 2.0 * _FOCAL_ALPHA) * truth
    # What is missing to the true class's probability 1 is |truth - probability|.
    focal = alpha * (truth - probability) ** _FOCAL_GAMMA * cross_entropy
    return _mean_and_dice(focal.sum(), valid, probability, truth, pool)


def bce_dice_loss(logits: torch.Tensor, target: torch.Tensor, pool: Pool = alone) -> torch.Tensor:
    """Add cross entropy and 1 - Dice.

    Args:
        logits: (N, h, w) float32.
        target: (N, h, w) uint8 of 0, 1 and 255 (ignore).
        pool: adds sums over the processes that share the batch.

    Returns:
        Scalar loss of the whole batch; 0 where every pixel is ignored.
    """
    logits, truth, valid = _hide_ignored(logits, target)
    cross_entropy = functional.softplus(logits).sum() - _overlap(logits, truth)
    return _mean_and_dice(cross_entropy, valid, torch.sigmoid(logits), truth, pool)


LOSSES: dict[str, SegmentationLoss] = {'focal_dice': focal_dice_loss, 'bce_dice': bce_dice_loss}


def enlarge(logits_nhw: torch.Tensor, times: int) -> torch.Tensor:
    """Enlarge logits bilinearly, as `functional.interpolate` with pixel centres aligned does.

    Written as two matrix products: the gradient of `interpolate` takes five times as long on CPUs,
    half of a training step of the coarse network.

    Args:
        logits_nhw: (N, h, w) float32.
        times: whole number.

    Returns:
        (N, times h, times w) float32.
    """
    if times == 1:
        return logits_nhw
    rows = _bilinear_matrix(logits_nhw.shape[1], times, logits_nhw.device)
    columns = _bilinear_matrix(logits_nhw.shape[2], times, logits_nhw.device)
    return rows @ logits_nhw @ columns.T


def _bilinear_matrix(length: int, times: int, device: torch.device) -> torch.Tensor:
    """(times length, length) weights of the old pixels in the new ones."""
    centres = (torch.arange(length * times, device=device) + 0.5) / times - 0.5
    centres = centres.clamp(0.0, length - 1.0)
    away = (centres[:, None] - torch.arange(length, device=device)).abs()
    return (1.0 - away).clamp(min=0.0)


def _hide_ignored(
    logits: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Turn ignored pixels into background that the network is sure of; count the others."""
    # In bytes and by bits, as comparing and selecting in float32 takes four times as long.
    ignored = target >> 7
    truth = (target & 1) - ignored
    hidden = torch.add(logits, ignored.float(), alpha=_SURELY_BACKGROUND)
    return hidden, truth.float(), (target.numel() - ignored.sum()).float()


def _mean_and_dice(
    pixel_loss: torch.Tensor,
    valid: torch.Tensor,
    probability: torch.Tensor,
    truth: torch.Tensor,
    pool: Pool,
) -> torch.Tensor:
    """Add the mean of a loss per pixel and 1 - Dice, from their sums."""
    # Dice too is of the batch: many small crops hold no vehicle, and their own would be noise.
    sums = (pixel_loss, valid, _overlap(probability, truth), probability.sum(), truth.sum())
    pixel_loss, valid, overlap, predicted, true = pool(torch.stack(sums)).unbind()
    score = (2.0 * overlap + _DICE_SMOOTH) / (predicted + true + _DICE_SMOOTH)
    return pixel_loss / valid.clamp(min=1.0) + 1.0 - score


def _overlap(values: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return torch.dot(values.flatten(), truth.flatten())
