"""What holds for every network: the suite that a new architecture has to pass."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.onnxruntime.engine import OnnxRuntimeEngine
from stseg_ros.engines.openvino.engine import OpenVinoEngine
from stseg_ros.errors import ConfigError
from stseg_ros.networks.architectures import ARCHITECTURES, NetworkConfig, build_network
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.layers import NORMS, without_norms
from stseg_ros.training.export_onnx import as_stored, export_network

pytestmark = pytest.mark.torch

SIZES_HW = [(64, 128), (128, 128), (33, 47), (48, 48), (17, 16), (70, 65)]


def network(architecture: str, norm: str, *, inputs: int = 3) -> torch.nn.Module:
    """Build a narrow network whose normalisation, if any, has seen something."""
    torch.manual_seed(0)
    built = build_network(
        NetworkConfig(architecture=architecture, width=4, norm=norm), inputs=inputs
    )
    generator = torch.Generator().manual_seed(1)
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(-2, 2, generator=generator)
            module.bias.data.uniform_(-1, 1, generator=generator)
    return built


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('norm', NORMS)
@pytest.mark.parametrize('inputs', [3, 4])
def test_every_size_gives_one_logit_per_pixel(architecture: str, norm: str, inputs: int) -> None:
    built = network(architecture, norm, inputs=inputs).eval()
    for size_hw in SIZES_HW:
        with torch.no_grad():
            assert built(torch.zeros(2, inputs, *size_hw)).shape == (2, 1, *size_hw)


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_every_parameter_learns(architecture: str) -> None:
    built = network(architecture, 'batch')
    built(torch.rand(2, 3, 64, 64)).square().mean().backward()
    still = [
        name for name, weight in built.named_parameters() if float(weight.grad.abs().sum()) == 0
    ]
    assert still == []


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_images_of_a_batch_do_not_touch_each_other(architecture: str) -> None:
    built = network(architecture, 'batch').eval()
    images = torch.rand(3, 3, 48, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        together = built(images)
        alone = torch.cat([built(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('norm', NORMS)
def test_merging_the_normalisation_keeps_the_logits(architecture: str, norm: str) -> None:
    built = network(architecture, norm).eval()
    image = torch.rand(2, 3, 50, 66, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        plain = without_norms(built)
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in plain.modules())
        torch.testing.assert_close(plain(image), built(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('engine_type', [OnnxRuntimeEngine, OpenVinoEngine])
def test_engines_compute_what_pytorch_computes(
    architecture: str, engine_type: type, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = ImageNetwork(network(architecture, 'batch')).eval()
    path = tmp_path_factory.mktemp('export') / 'network.onnx'
    export_network(model, path, (50, 66), max_batch=4)
    engine = engine_type(path, EngineOptions(precision='float32', max_batch=4, logits='float32'))
    batch = np.random.default_rng(3).integers(0, 256, (3, 50, 66, 3), np.uint8)
    with torch.no_grad():
        expected = as_stored(model)(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(engine.infer(batch), expected, rtol=1e-3, atol=1e-3)
    engine.close()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'width': 3}, 'width is 3; give an even number'),
        ({'width': 0}, 'width is 0'),
        ({'norm': 'layer'}, "norm is 'layer'; give one of none, batch"),
        ({'architecture': 'vgg'}, "architecture is 'vgg'; give one of paper_unet"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NetworkConfig(**options)
