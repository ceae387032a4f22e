"""Networks rebuilt from ONNX files, held against ONNX Runtime running those files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import onnx
import torch
from onnx import numpy_helper
from support.torch_bundle import LARGEST_LOGIT, WIDTH, blocky_image, spread_network

from stseg_ros.errors import BundleError
from stseg_ros.networks.architectures import ARCHITECTURES, NetworkConfig
from stseg_ros.networks.stored_weights import load_stored
from stseg_ros.training.export_onnx import export_network

pytestmark = pytest.mark.torch

SIZE_HW = (32, 64)
# Both compute in float32; logits reach 6, and sums of some hundred products come in any order.
LARGEST_DIFFERENCE = 1e-4


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each architecture, with weights stored as FP16, and one of each precision."""
    folder = tmp_path_factory.mktemp('networks')
    paths = {}
    for name, architecture, precision in (
        ('paper_unet', 'paper_unet', 'half_weights'),
        ('residual_fpn', 'residual_fpn', 'half_weights'),
        ('float32', 'paper_unet', 'float32'),
        ('float16', 'paper_unet', 'float16'),
    ):
        model = spread_network(architecture, 5, blocky_image())
        paths[name] = folder / f'{name}.onnx'
        export_network(model, paths[name], SIZE_HW, max_batch=1, precision=precision)
    return paths


def logits_of_file(path: Path, image_nhwc: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    (logits_nhw,) = session.run(None, {'image': image_nhwc})
    return logits_nhw


@pytest.mark.parametrize('name', ['paper_unet', 'residual_fpn', 'float32'])
def test_it_computes_what_the_file_computes(files: dict[str, Path], name: str) -> None:
    architecture = name if name in ARCHITECTURES else 'paper_unet'
    config = NetworkConfig(architecture=architecture, width=WIDTH, norm='batch')
    model = load_stored(files[name], config)
    assert not model.training
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    image_nhwc = blocky_image()[None, : SIZE_HW[0], : SIZE_HW[1]].copy()
    with torch.no_grad():
        found = model(torch.from_numpy(image_nhwc)).numpy()
    expected = logits_of_file(files[name], image_nhwc)
    assert np.abs(expected).max() > LARGEST_LOGIT / 4.0
    assert np.abs(found - expected).max() <= LARGEST_DIFFERENCE


@pytest.mark.parametrize(
    ('name', 'architecture', 'width', 'message'),
    [
        ('paper_unet', 'paper_unet', 16, r'of shape \(.*\), where a paper_unet of width 16 has'),
        ('paper_unet', 'residual_fpn', WIDTH, 'a residual_fpn of width 8 has'),
        # Its arithmetic is FP16, which float32 would not re-enact; its weights have other names.
        ('float16', 'paper_unet', WIDTH, 'a paper_unet of width 8 has'),
    ],
)
def test_other_weights_than_stated_are_refused(
    files: dict[str, Path], name: str, architecture: str, width: int, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        load_stored(files[name], NetworkConfig(architecture=architecture, width=width))


def changed(path: Path, target: Path, name: str, values: np.ndarray | None) -> Path:
    """Copy a network with another value of one initializer, or without it."""
    model = onnx.load(path)
    (old,) = (each for each in model.graph.initializer if each.name == name)
    model.graph.initializer.remove(old)
    if values is not None:
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    onnx.save(model, target)
    return target


@pytest.mark.parametrize(
    ('name', 'values', 'message'),
    [
        ('mean', np.zeros((1, 3, 1, 1), np.float32), 'normalises images by another mean'),
        ('std', None, 'normalises images by another std'),
        ('network.head.bias', None, r'holds network.head.bias of shape None, where a paper_unet'),
        ('network.head.bias', np.zeros(2, np.float32), r'network.head.bias of shape \(2,\)'),
    ],
)
def test_a_file_that_lacks_or_changes_a_weight_is_refused(
    files: dict[str, Path], tmp_path: Path, name: str, values: np.ndarray | None, message: str
) -> None:
    path = changed(files['float32'], tmp_path / 'changed.onnx', name, values)
    with pytest.raises(BundleError, match=message):
        load_stored(path, NetworkConfig(width=WIDTH))


def test_a_weight_that_is_there_twice_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(files['float32'])
    twin = numpy_helper.from_array(np.zeros(1, np.float16), 'network.head.bias.fp16')
    model.graph.initializer.append(twin)
    onnx.save(model, tmp_path / 'twin.onnx')
    with pytest.raises(BundleError, match=r'holds network\.head\.bias twice'):
        load_stored(tmp_path / 'twin.onnx', NetworkConfig(width=WIDTH))
