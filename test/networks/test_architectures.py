"""What holds for every network: the suite that a new architecture has to pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.onnxruntime.engine import OnnxRuntimeEngine
from stseg_ros.engines.openvino.engine import OpenVinoEngine
from stseg_ros.errors import ConfigError
from stseg_ros.networks.architectures import ARCHITECTURES, NetworkConfig, build_network
from stseg_ros.networks.decoder_network import DecoderNetwork
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.layers import NORMS, without_norms
from stseg_ros.training.export_onnx import as_stored, export_network

pytestmark = pytest.mark.torch

SIZES_HW = [(64, 128), (128, 128), (33, 47), (48, 48), (17, 16), (70, 65)]


def network(architecture: str, norm: str, *, inputs: int = 3, features: int = 0) -> DecoderNetwork:
    """Build a narrow network whose normalisation, if any, has seen something."""
    torch.manual_seed(0)
    built = build_network(
        NetworkConfig(architecture=architecture, width=4, norm=norm),
        inputs=inputs,
        features=features,
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
@pytest.mark.parametrize('features', [1, 4])
def test_features_come_after_the_logits_and_leave_them_alone(
    architecture: str, features: int
) -> None:
    plain = network(architecture, 'batch').eval()
    built = network(architecture, 'batch', features=features).eval()
    built.load_state_dict(plain.state_dict(), strict=False)
    for size_hw in SIZES_HW:
        image = torch.rand(2, 3, *size_hw, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            planes = built(image)
            torch.testing.assert_close(planes[:, :1], plain(image), rtol=0, atol=0)
        assert planes.shape == (2, 1 + features, *size_hw)


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('size_hw', [(48, 64), (33, 47)])
def test_features_are_sums_of_the_decoders_channels(
    architecture: str, size_hw: tuple[int, int]
) -> None:
    built = network(architecture, 'batch', features=2).eval()
    image = torch.rand(1, 3, *size_hw, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        decoded = built.decode(image)[0].numpy()
        found = built(image)[0, 1:].numpy()
    weight = built.project.weight.detach()[:, :, 0, 0].numpy()
    sums = (
        np.einsum('fc,cyx->fyx', weight, decoded)
        + built.project.bias.detach().numpy()[:, None, None]
    )
    stride = -(-size_hw[0] // decoded.shape[1])
    assert decoded.shape[1:] == tuple(-(-length // stride) for length in size_hw)
    # Linear between the positions' centres, level beyond the outer ones, cut to the image.
    for axis in (1, 2):
        count = sums.shape[axis]
        wanted = (np.arange(size_hw[axis - 1]) + 0.5) / stride - 0.5
        sums = np.apply_along_axis(
            lambda line, wanted=wanted, count=count: np.interp(wanted, np.arange(count), line),
            axis,
            sums,
        )
    np.testing.assert_allclose(found, sums, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('engine_type', [OnnxRuntimeEngine, OpenVinoEngine])
@pytest.mark.parametrize('precision', ['half_weights', 'float16'])
def test_engines_compute_the_features_too(
    architecture: str, engine_type: type, precision: str, tmp_path: Path
) -> None:
    model = ImageNetwork(network(architecture, 'batch', features=2)).eval()
    path = tmp_path / 'coarse.onnx'
    export_network(model, path, (50, 66), max_batch=1, precision=precision)
    engine = engine_type(path, EngineOptions(precision='float32', logits='float32'))
    assert engine.output.shape == (1, 3, 50, 66)
    batch = np.random.default_rng(3).integers(0, 256, (1, 50, 66, 3), np.uint8)
    with torch.no_grad():
        expected = model(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(engine.infer(batch), expected, rtol=2e-2, atol=2e-2)
    engine.close()


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
