from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

pytest.importorskip('torch')

import torch

from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.paper_unet import PaperUNet, PaperUNetConfig
from stseg_ros.training.export_onnx import export_network

pytestmark = pytest.mark.torch


@pytest.fixture(scope='module')
def model() -> ImageNetwork:
    torch.manual_seed(0)
    return ImageNetwork(PaperUNet(PaperUNetConfig(width=8, norm='batch'))).eval()


@pytest.fixture(scope='module')
def paths(model: ImageNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp('onnx')
    fixed, free = folder / 'fixed.onnx', folder / 'free.onnx'
    export_network(model, fixed, (32, 64), max_batch=1)
    export_network(model, free, (48, 48), max_batch=4)
    return fixed, free


def axes(value: onnx.ValueInfoProto) -> list[int | str]:
    shape = value.type.tensor_type.shape
    return [axis.dim_param or axis.dim_value for axis in shape.dim]


def test_inputs_and_outputs(paths: tuple[Path, Path]) -> None:
    fixed, free = (onnx.load(path).graph for path in paths)
    assert [value.name for value in (*fixed.input, *fixed.output)] == ['image', 'logits']
    assert fixed.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert fixed.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert (axes(fixed.input[0]), axes(fixed.output[0])) == ([1, 32, 64, 3], [1, 32, 64])
    assert axes(free.input[0]) == ['batch', 48, 48, 3]
    assert axes(free.output[0]) == ['batch', 48, 48]


def test_engine_gives_what_torch_gives(model: ImageNetwork, paths: tuple[Path, Path]) -> None:
    rng = np.random.default_rng(0)
    for path, size_hw, batches in ((paths[0], (32, 64), (1,)), (paths[1], (48, 48), (1, 3, 4))):
        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
        for batch in batches:
            image_nhwc = rng.integers(0, 256, (batch, *size_hw, 3), dtype=np.uint8)
            (logits_nhw,) = session.run(None, {'image': image_nhwc})
            with torch.no_grad():
                expected = model(torch.from_numpy(image_nhwc)).numpy()
            # FP16 weights carry 11 significant bits, so results agree to about a thousandth.
            assert np.abs(logits_nhw - expected).max() < 5e-3 * np.abs(expected).max()


def test_weights_are_half_precision_and_nothing_else_is(paths: tuple[Path, Path]) -> None:
    graph = onnx.load(paths[0]).graph
    stored = {item.name: item.data_type for item in graph.initializer}
    halved = {name for name, kind in stored.items() if kind == onnx.TensorProto.FLOAT16}
    # Nine of the ten 3x3 convolutions have 512 weights or more; 3 x 3 x 3 x 8 of the first do not.
    assert len(halved) == 9
    assert all(name.endswith('.fp16') for name in halved)
    parameters = sum(int(np.prod(item.dims)) for item in graph.initializer)
    assert paths[0].stat().st_size < 2.2 * parameters


def test_batch_normalisation_is_gone(paths: tuple[Path, Path]) -> None:
    operators = {node.op_type for node in onnx.load(paths[0]).graph.node}
    assert operators == {
        'Cast', 'Transpose', 'Sub', 'Div', 'Conv', 'ConvTranspose', 'Relu', 'Concat', 'Squeeze'
    }  # fmt: skip


def test_no_trace_of_the_machine(paths: tuple[Path, Path]) -> None:
    for path in paths:
        content = path.read_bytes()
        for trace in (b'site-packages', b'.py', b'forward', str(Path.home()).encode()):
            assert trace not in content
