"""Losses on logits, with ignored pixels left out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

IGNORE = 255
_FOCAL_GAMMA = 2.0
_FOCAL_ALPHA = 0.25
_DICE_SMOOTH = 1.0

SegmentationLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def focal_dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Add focal loss (gamma 2, alpha 0.25) and 1 - Dice: the paper's loss.

    Args:
        logits: (N, h, w) float32.
        target: (N, h, w) uint8 of 0, 1 and 255 (ignore).

    Returns:
        Scalar loss; 0 where every pixel is ignored.
    """
    valid, truth = _split(target)
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction='none')
    miss = 1.0 - torch.exp(-cross_entropy)
    alpha = _FOCAL_ALPHA * truth + (1.0 - _FOCAL_ALPHA) * (1.0 - truth)
    focal = alpha * miss**_FOCAL_GAMMA * cross_entropy
    return _mean(focal, valid) + _one_minus_dice(logits, truth, valid)


def bce_dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Add cross entropy and 1 - Dice.

    Args:
        logits: (N, h, w) float32.
        target: (N, h, w) uint8 of 0, 1 and 255 (ignore).

    Returns:
        Scalar loss; 0 where every pixel is ignored.
    """
    valid, truth = _split(target)
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction='none')
    return _mean(cross_entropy, valid) + _one_minus_dice(logits, truth, valid)


LOSSES: dict[str, SegmentationLoss] = {'focal_dice': focal_dice_loss, 'bce_dice': bce_dice_loss}


def _split(target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    valid = (target != IGNORE).float()
    return valid, (target == 1).float()


def _mean(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    return (values * valid).sum() / valid.sum().clamp(min=1.0)


def _one_minus_dice(
    logits: torch.Tensor, truth: torch.Tensor, valid: torch.Tensor
) -> torch.Tensor:
    # Pooled over the batch: many small crops hold no vehicle, and their own Dice would be noise.
    probability = torch.sigmoid(logits) * valid
    overlap = (probability * truth).sum()
    total = probability.sum() + truth.sum()
    return 1.0 - (2.0 * overlap + _DICE_SMOOTH) / (total + _DICE_SMOOTH)
