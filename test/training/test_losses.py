from __future__ import annotations

import math

import pytest

pytest.importorskip('torch')

import torch

from stseg_ros.training.losses import LOSSES, bce_dice_loss, focal_dice_loss

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
