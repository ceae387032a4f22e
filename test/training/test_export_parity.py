from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.bundle import Geometry
from stseg_ros.errors import StsegError
from stseg_ros.networks.architectures import NetworkConfig, build_network
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.export_onnx import PRECISIONS, export_network
from stseg_ros.training.export_parity import BOUNDS, check_parity, network_inputs

pytestmark = pytest.mark.torch
GEOMETRY = Geometry(working_hw=(64, 128), coarse_factor=4, grid=(2, 2), max_regions=3)
PRIOR = Geometry(working_hw=(64, 128), coarse_factor=4, grid=(2, 2), max_regions=3, prior=True)
SIZE_HW = (32, 64)


def network(seed: int, *, inputs: int = 3) -> ImageNetwork:
    torch.manual_seed(seed)
    unet = build_network(NetworkConfig(width=8, norm='batch'), inputs=inputs)
    return ImageNetwork(unet, prior=inputs == 4).eval()


def images(count: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (50, 90, 3), dtype=np.uint8) for _ in range(count)]


def batches() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (3, *SIZE_HW, 3), dtype=np.uint8) for _ in range(2)]


@pytest.fixture(scope='module', params=PRECISIONS)
def export(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ImageNetwork, Path, str]:
    """A network, its file, and the precision of that."""
    model, path = network(1), tmp_path_factory.mktemp('export') / 'refine.onnx'
    # Random weights give logits near zero, where the least rounding turns labels over.
    torch.nn.init.constant_(model.network.head.bias, -1.0)
    export_network(model, path, SIZE_HW, max_batch=3, precision=request.param)
    return model, path, request.param


class Redness(ImageNetwork):
    """A coarse network whose logits are (red - green) / 40."""

    def forward(self, image_nhwc: torch.Tensor) -> torch.Tensor:
        return (image_nhwc[..., 0].float() - image_nhwc[..., 1].float()) / 40.0


def test_inputs_have_the_networks_shapes() -> None:
    models = {stage: network(0) for stage in ('coarse', 'refine', 'whole')}
    inputs = network_inputs(models, images(), GEOMETRY)
    assert [batch.shape for batch in inputs['coarse']] == [(1, 16, 32, 3)] * 2
    assert [batch.shape for batch in inputs['refine']] == [(3, 32, 64, 3)] * 2
    assert [batch.shape for batch in inputs['whole']] == [(1, 64, 128, 3)] * 2


def test_every_image_has_inputs_of_its_own() -> None:
    models = {'coarse': network(0), 'refine': network(1)}
    together = network_inputs(models, images(), GEOMETRY)
    for stage, found in together.items():
        for index, image_hwc in enumerate(images()):
            alone = network_inputs(models, [image_hwc], GEOMETRY)
            assert np.array_equal(found[index], alone[stage][0])


def test_regions_are_parts_of_the_frame() -> None:
    models = {stage: network(0) for stage in ('coarse', 'refine', 'whole')}
    inputs = network_inputs(models, images(1), GEOMETRY)
    whole_hwc = inputs['whole'][0][0]
    corners = [(0, 0), (0, 64), (32, 0)]
    for region_hwc, (top, left) in zip(inputs['refine'][0], corners, strict=True):
        assert np.array_equal(region_hwc, whole_hwc[top : top + 32, left : left + 64])


def test_the_prior_is_what_the_coarse_network_says() -> None:
    frame_hwc = np.zeros((64, 128, 3), np.uint8)
    frame_hwc[..., 0] = 100
    frame_hwc[:, 64:] = (0, 200, 0)
    models = {'coarse': Redness(torch.nn.Identity()), 'refine': network(0, inputs=4)}
    (batch,) = network_inputs(models, [frame_hwc], PRIOR)['refine']
    assert batch.shape == (3, 32, 64, 4)
    # Logits of 2.5 left and -5 right, in steps of a sixteenth around 128; the border is smooth.
    assert (batch[0, :, :60, 3] == 128 + 40).all()
    assert (batch[1, :, 4:, 3] == 128 - 80).all()
    assert np.array_equal(batch[0, ..., :3], frame_hwc[:32, :64])


class ThreePlanes(ImageNetwork):
    """A coarse network with two features: red and green over 40, less 2."""

    def forward(self, image_nhwc: torch.Tensor) -> torch.Tensor:
        red, green = (image_nhwc[..., channel].float() / 40.0 for channel in (0, 1))
        return torch.stack([red - green, red - 2.0, green - 2.0], dim=1)


def test_features_are_what_the_coarse_network_says_too() -> None:
    frame_hwc = np.zeros((64, 128, 3), np.uint8)
    frame_hwc[..., 0] = 100
    frame_hwc[:, 64:] = (0, 200, 0)
    geometry = dataclasses.replace(PRIOR, prior_features=2)
    models = {'coarse': ThreePlanes(torch.nn.Identity()), 'refine': network(0)}
    (batch,) = network_inputs(models, [frame_hwc], geometry)['refine']
    assert batch.shape == (3, 32, 64, 6)
    # 2.5 - 0 = 2.5, 2.5 - 2 = 0.5 and -2 left; -5, -2 and 5 - 2 = 3 right.
    assert (batch[0, :, :60, 3:] == (128 + 40, 128 + 8, 128 - 32)).all()
    assert (batch[1, :, 4:, 3:] == (128 - 80, 128 - 32, 128 + 48)).all()


def coarse_with_features(seed: int) -> ImageNetwork:
    torch.manual_seed(seed)
    config = NetworkConfig(architecture='residual_fpn', width=8, norm='batch')
    model = ImageNetwork(build_network(config, features=2)).eval()
    torch.nn.init.constant_(model.network.head.bias, -1.0)
    return model


def test_features_are_held_against_pytorch_too(tmp_path: Path) -> None:
    model, path = coarse_with_features(1), tmp_path / 'coarse.onnx'
    export_network(model, path, (16, 32), max_batch=1)
    rng = np.random.default_rng(2)
    batch = rng.integers(0, 256, (1, 16, 32, 3), dtype=np.uint8)
    figures = check_parity(model, path, [batch], 'half_weights').as_mapping()
    assert max(figures.values()) < 1e-4
    # The same logits, and one feature that is moved by a hair.
    other = coarse_with_features(1)
    with torch.no_grad():
        other.network.project.bias[1] += 0.1
    with pytest.raises(StsegError, match=r'coarse.onnx: onnxruntime differs from PyTorch by 0.0'):
        check_parity(other, path, [batch], 'half_weights')


def test_a_faithful_export_passes(export: tuple[ImageNetwork, Path, str]) -> None:
    model, path, precision = export
    figures = check_parity(model, path, batches(), precision).as_mapping()
    assert list(figures) == ['onnxruntime', 'openvino', 'labels_changed']
    most = 5e-3 if precision == 'float16' else 1e-4
    assert max(figures['onnxruntime'], figures['openvino']) < most
    assert figures['labels_changed'] == 0.0


def test_other_weights_fail(export: tuple[ImageNetwork, Path, str]) -> None:
    _, path, precision = export
    other = network(2)
    torch.nn.init.constant_(other.network.head.bias, 2.0)
    bound = BOUNDS[precision].probability
    message = rf'refine.onnx: onnxruntime differs from PyTorch by 0\.[1-9].*bound of {bound} for'
    with pytest.raises(StsegError, match=message):
        check_parity(other, path, batches(), precision)


def test_what_is_no_number_fails(export: tuple[ImageNetwork, Path, str]) -> None:
    _, path, precision = export
    broken = network(1)
    torch.nn.init.constant_(broken.network.head.bias, float('nan'))
    with pytest.raises(StsegError, match='differs from PyTorch by nan'):
        check_parity(broken, path, batches(), precision)


def test_weights_beyond_half_precision_fail(tmp_path: Path) -> None:
    model, path = network(1), tmp_path / 'refine.onnx'
    unet = model.network
    # Large weights that cancel: FP16 keeps 11 bits of each, and the small difference is lost.
    with torch.no_grad():
        unet.up[4].conv.weight += 3000.0
        unet.up[4].norm.weight.fill_(1.0)
        unet.up[4].norm.running_var.fill_(1e6)
        unet.head.bias.zero_()
        unet.head.weight[:, ::2] = 1.0
        unet.head.weight[:, 1::2] = -1.0
    export_network(model, path, SIZE_HW, max_batch=3)
    message = r'half_weights changes .*% of the labels.*--precision float32'
    with pytest.raises(StsegError, match=message):
        check_parity(model, path, batches(), 'half_weights')


def test_whole_frames_are_resized_as_the_pipeline_does() -> None:
    models = {stage: network(0) for stage in ('coarse', 'refine', 'whole')}
    (image_hwc,) = images(1)
    (whole,) = network_inputs(models, [image_hwc], GEOMETRY)['whole']
    assert np.array_equal(whole[0], cv2.resize(image_hwc, (128, 64)))
