from __future__ import annotations

import math

import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch
from torch.nn import functional

from stseg_ros.training.losses import LOSSES, bce_dice_loss, enlarge, focal_dice_loss

pytestmark = pytest.mark.torch


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


# Two pixels: vehicle seen with 0.8, background seen with 0.3; a third is ignored.
LOGITS = torch.tensor([[[logit(0.8), logit(0.3), 50.0]]])
TARGET = torch.tensor([[[1, 0, 255]]], dtype=torch.uint8)
ONE_MINUS_DICE = 1 - (2 * 0.8 + 1) / (0.8 + 0.3 + 1 + 1)


def test_bce_dice_by_hand() -> None:
    cross_entropy = -(math.log(0.8) + math.log(0.7)) / 2
    expected = cross_entropy + ONE_MINUS_DICE
    assert float(bce_dice_loss(LOGITS, TARGET)) == pytest.approx(expected, rel=1e-5)


def test_focal_dice_by_hand() -> None:
    focal = -(0.25 * 0.2**2 * math.log(0.8) + 0.75 * 0.3**2 * math.log(0.7)) / 2
    expected = focal + ONE_MINUS_DICE
    assert float(focal_dice_loss(LOGITS, TARGET)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('name', LOSSES)
def test_ignored_pixels_get_no_gradient(name: str) -> None:
    logits = LOGITS.clone().requires_grad_()
    torch.autograd.backward(LOSSES[name](logits, TARGET))
    assert float(logits.grad[0, 0, 2]) == 0.0
    assert float(logits.grad[0, 0, 0]) < 0.0 < float(logits.grad[0, 0, 1])


@pytest.mark.parametrize('name', LOSSES)
def test_all_ignored_is_zero_and_extremes_are_finite(name: str) -> None:
    ignored = torch.full((1, 2, 2), 255, dtype=torch.uint8)
    assert float(LOSSES[name](torch.ones(1, 2, 2), ignored)) == 0.0
    wrong = LOSSES[name](torch.tensor([[[-200.0, 200.0]]]), torch.tensor([[[1, 0]]]))
    assert math.isfinite(float(wrong))
    assert float(wrong) > 1.0


def plain_loss(name: str, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Write the losses as the papers do, pixel by pixel, in float64."""
    seen = target != 255
    probability, truth = torch.sigmoid(logits.double())[seen], target[seen].double()
    right = torch.where(truth == 1, probability, 1 - probability)
    pixel_loss = -torch.log(right)
    if name == 'focal_dice':
        pixel_loss = pixel_loss * torch.where(truth == 1, 0.25, 0.75) * (1 - right) ** 2
    score = (2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)
    return pixel_loss.mean() + 1 - score


@pytest.mark.parametrize('name', LOSSES)
def test_values_and_gradients_are_those_of_the_plain_formulas(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (4 * torch.randn(3, 20, 30, generator=generator)).requires_grad_()
    target = (torch.rand(3, 20, 30, generator=generator) > 0.7).to(torch.uint8)
    target[:, :3] = 255
    losses = [LOSSES[name](logits, target), plain_loss(name, logits, target)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    gradient, expected = (torch.autograd.grad(loss, logits)[0] for loss in losses)
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize('name', LOSSES)
def test_pooled_halves_make_the_loss_of_the_whole(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, 8, 8, generator=generator)
    target = (torch.rand(4, 8, 8, generator=generator) > 0.8).to(torch.uint8)
    target[2, 0] = 255
    first: list[torch.Tensor] = []
    LOSSES[name](logits[:2], target[:2], lambda sums: first.append(sums) or sums)
    pooled = LOSSES[name](logits[2:], target[2:], lambda sums: sums + first[0])
    assert float(pooled) == pytest.approx(float(LOSSES[name](logits, target)), rel=1e-5)


@pytest.mark.parametrize(('shape', 'times'), [((2, 5, 7), 4), ((1, 1, 3), 2), ((2, 4, 4), 1)])
def test_enlarging_is_bilinear_interpolation(shape: tuple[int, ...], times: int) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    expected = functional.interpolate(
        logits[:, None], scale_factor=times, mode='bilinear', align_corners=False
    )
    assert torch.allclose(enlarge(logits, times), expected[:, 0], atol=1e-6)
