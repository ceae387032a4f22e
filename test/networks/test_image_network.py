from __future__ import annotations

import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.networks.image_network import MEAN_RGB, STD_RGB, ImageNetwork

pytestmark = pytest.mark.torch


class WeightedChannels(torch.nn.Module):
    """Adds the channels, each with its own power of ten, so that their order shows."""

    def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
        weights = 10.0 ** torch.arange(image_nchw.shape[1])
        return (image_nchw * weights.view(1, -1, 1, 1)).sum(dim=1, keepdim=True)


def test_images_are_normalised() -> None:
    logits = ImageNetwork(WeightedChannels())(
        torch.tensor([[[[200, 100, 50]]]], dtype=torch.uint8)
    )
    red, green, blue = (
        (value - mean) / std
        for value, mean, std in zip((200, 100, 50), MEAN_RGB, STD_RGB, strict=True)
    )
    assert logits.shape == (1, 1, 1)
    assert logits.dtype == torch.float32
    assert float(logits) == pytest.approx(red + 10 * green + 100 * blue, rel=1e-5)


def test_the_prior_is_a_logit_over_its_spread() -> None:
    # Mean grey and a byte of 128 + 16 x 6, which is a logit of 6: twice the spread.
    pixel = [*(round(value) for value in MEAN_RGB), 224]
    network = ImageNetwork(WeightedChannels(), prior=True)
    logits = network(torch.tensor([[[pixel]]], dtype=torch.uint8))
    assert network.inputs == 4
    assert float(logits) == pytest.approx(2000.0, abs=1.0)


def test_features_are_normalised_as_the_prior_is() -> None:
    # A feature of 3 is one spread, a byte of 128 is none.
    pixel = [*(round(value) for value in MEAN_RGB), 128, 128 + 48, 128]
    network = ImageNetwork(WeightedChannels(), prior=True, features=2)
    logits = network(torch.tensor([[[pixel]]], dtype=torch.uint8))
    assert network.inputs == 6
    assert float(logits) == pytest.approx(10_000.0, abs=1.0)


def test_a_network_of_several_planes_keeps_their_axis() -> None:
    class Twice(torch.nn.Module):
        def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
            return image_nchw[:, :2]

    planes = ImageNetwork(Twice())(torch.zeros(1, 4, 5, 3, dtype=torch.uint8))
    assert planes.shape == (1, 2, 4, 5)
    assert ImageNetwork(Twice()).features == 0
