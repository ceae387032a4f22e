from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')

import torch

from stseg_ros.bundle import Geometry
from stseg_ros.errors import StsegError
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.paper_unet import PaperUNet, PaperUNetConfig
from stseg_ros.training.export_bundle import NetworkInputs, check_parity, network_inputs
from stseg_ros.training.export_onnx import export_network

pytestmark = pytest.mark.torch
GEOMETRY = Geometry(working_hw=(64, 128), coarse_factor=4, grid=(2, 2), max_regions=3)


def network(seed: int) -> ImageNetwork:
    torch.manual_seed(seed)
    return ImageNetwork(PaperUNet(PaperUNetConfig(width=8, norm='batch'))).eval()


@pytest.fixture(scope='module')
def inputs() -> NetworkInputs:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (50, 90, 3), dtype=np.uint8) for _ in range(2)]
    return network_inputs(images, GEOMETRY)


@pytest.fixture(scope='module')
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp('bundle')
    coarse, refine = folder / 'coarse.onnx', folder / 'refine.onnx'
    export_network(network(0), coarse, GEOMETRY.coarse_hw, max_batch=1)
    export_network(network(1), refine, GEOMETRY.region_hw, max_batch=GEOMETRY.max_regions)
    return coarse, refine


def test_inputs_have_the_networks_shapes(inputs: NetworkInputs) -> None:
    assert [batch.shape for batch in inputs.coarse] == [(1, 16, 32, 3)] * 2
    assert [batch.shape for batch in inputs.refine] == [(3, 32, 64, 3)] * 2


def test_faithful_networks_pass(inputs: NetworkInputs, paths: tuple[Path, Path]) -> None:
    parity = check_parity({'coarse': network(0), 'refine': network(1)}, paths, inputs)
    for stage in ('coarse', 'refine'):
        assert set(parity[stage]) == {'onnxruntime', 'openvino', 'labels_changed_by_fp16'}
        assert parity[stage]['onnxruntime'] < 1e-4
        assert parity[stage]['openvino'] < 1e-4


def test_other_weights_fail(inputs: NetworkInputs, paths: tuple[Path, Path]) -> None:
    with pytest.raises(StsegError, match='onnxruntime differs from PyTorch'):
        check_parity({'coarse': network(0), 'refine': network(2)}, paths, inputs)


def test_weights_beyond_half_precision_fail(inputs: NetworkInputs, tmp_path: Path) -> None:
    refine = network(1)
    unet = refine.network
    assert isinstance(unet, PaperUNet)
    # Large weights that cancel: FP16 keeps 11 bits of each, and the small difference is lost.
    with torch.no_grad():
        unet.up[4].conv.weight += 3000.0
        unet.up[4].norm.weight.fill_(1.0)
        unet.up[4].norm.running_var.fill_(1e6)
        unet.head.bias.zero_()
        unet.head.weight[:, ::2] = 1.0
        unet.head.weight[:, 1::2] = -1.0
    paths = tmp_path / 'coarse.onnx', tmp_path / 'refine.onnx'
    export_network(network(0), paths[0], GEOMETRY.coarse_hw, max_batch=1)
    export_network(refine, paths[1], GEOMETRY.region_hw, max_batch=GEOMETRY.max_regions)
    with pytest.raises(StsegError, match=r'FP16 changes .*% of the labels'):
        check_parity({'coarse': network(0), 'refine': refine}, paths, inputs)
