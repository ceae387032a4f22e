from __future__ import annotations

import pytest

pytest.importorskip('torch')

import torch

from stseg_ros.errors import ConfigError
from stseg_ros.networks.image_network import MEAN_RGB, STD_RGB, ImageNetwork
from stseg_ros.networks.paper_unet import PaperUNet, PaperUNetConfig

pytestmark = pytest.mark.torch


def unet(width: int = 4, norm: str = 'batch') -> PaperUNet:
    torch.manual_seed(0)
    return PaperUNet(PaperUNetConfig(width=width, norm=norm))


def test_parameter_count_of_the_paper() -> None:
    # Weights and biases of every layer: channels in x channels out x 9 + channels out.
    down = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    up = [(2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32)]
    expected = sum(before * after * 9 + after for before, after in down + up) + 32 + 1
    network = unet(width=64, norm='none')
    assert sum(weight.numel() for weight in network.parameters()) == expected
    assert round(expected / 1e6, 2) == 18.84


@pytest.mark.parametrize('size_hw', [(64, 128), (128, 128), (33, 47), (48, 48), (1, 1), (70, 65)])
@pytest.mark.parametrize('norm', ['none', 'batch'])
def test_any_size_keeps_its_size(size_hw: tuple[int, int], norm: str) -> None:
    network = unet(norm=norm).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, *size_hw)).shape == (2, 1, *size_hw)


def test_every_parameter_learns() -> None:
    network = unet()
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert all(float(weight.grad.abs().sum()) > 0 for weight in network.parameters())


def test_folding_keeps_the_logits() -> None:
    network = unet()
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(-2, 2, generator=generator)
            module.bias.data.uniform_(-1, 1, generator=generator)
    network.eval()
    image = torch.rand(2, 3, 50, 66, generator=generator)
    with torch.no_grad():
        folded = network.folded()
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
        torch.testing.assert_close(folded(image), network(image), rtol=1e-4, atol=1e-4)


def test_folding_without_normalisation_is_a_copy() -> None:
    network = unet(norm='none').eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.folded()(image), network(image), rtol=0, atol=0)


@pytest.mark.parametrize('options', [{'width': 3}, {'width': 0}, {'norm': 'layer'}])
def test_refuses_impossible_networks(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        PaperUNetConfig(**options)


def test_image_network_normalises_rgb() -> None:
    class Channels(torch.nn.Module):
        def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
            return image_nchw[:, 0:1] + 10 * image_nchw[:, 1:2] + 100 * image_nchw[:, 2:3]

    logits = ImageNetwork(Channels())(torch.tensor([[[[200, 100, 50]]]], dtype=torch.uint8))
    red, green, blue = (
        (value - mean) / std
        for value, mean, std in zip((200, 100, 50), MEAN_RGB, STD_RGB, strict=True)
    )
    assert logits.shape == (1, 1, 1)
    assert logits.dtype == torch.float32
    assert float(logits) == pytest.approx(red + 10 * green + 100 * blue, rel=1e-5)
