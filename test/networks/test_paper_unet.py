from __future__ import annotations

import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.networks.architectures import NetworkConfig, build_network

pytestmark = pytest.mark.torch


def test_parameter_count_of_the_paper() -> None:
    # Weights and biases of every layer: channels in x channels out x 9 + channels out.
    down = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    up = [(2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32)]
    expected = sum(before * after * 9 + after for before, after in down + up) + 32 + 1
    network = build_network(NetworkConfig(architecture='paper_unet', width=64, norm='none'))
    assert sum(weight.numel() for weight in network.parameters()) == expected
    assert round(expected / 1e6, 2) == 18.84
