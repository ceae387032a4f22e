from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.networks.architectures import ARCHITECTURES, NetworkConfig, build_network
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.export_onnx import PRECISIONS, as_stored, export_network
from stseg_ros.verbs import export as export_verb

pytestmark = pytest.mark.torch
REAL_TYPES = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE}


@pytest.fixture(scope='module')
def model() -> ImageNetwork:
    torch.manual_seed(0)
    return ImageNetwork(build_network(NetworkConfig(width=8, norm='batch'))).eval()


@pytest.fixture(scope='module')
def paths(model: ImageNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp('onnx')
    fixed, free = folder / 'fixed.onnx', folder / 'free.onnx'
    export_network(model, fixed, (32, 64), max_batch=1)
    export_network(model, free, (48, 48), max_batch=4)
    return fixed, free


@pytest.fixture(scope='module')
def exact(model: ImageNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('exact') / 'exact.onnx'
    export_network(model, path, (32, 64), max_batch=1, precision='float32')
    return path


def axes(value: onnx.ValueInfoProto) -> list[int | str]:
    shape = value.type.tensor_type.shape
    return [axis.dim_param or axis.dim_value for axis in shape.dim]


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def run_file(path: Path, image_nhwc: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    (logits_nhw,) = session.run(None, {'image': image_nhwc})
    return logits_nhw


@torch.no_grad()
def run_torch(model: ImageNetwork, image_nhwc: np.ndarray) -> np.ndarray:
    return model(torch.from_numpy(image_nhwc)).numpy()


def test_inputs_and_outputs(paths: tuple[Path, Path]) -> None:
    fixed, free = (onnx.load(path).graph for path in paths)
    assert [value.name for value in (*fixed.input, *fixed.output)] == ['image', 'logits']
    assert fixed.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert fixed.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert (axes(fixed.input[0]), axes(fixed.output[0])) == ([1, 32, 64, 3], [1, 32, 64])
    assert axes(free.input[0]) == ['batch', 48, 48, 3]
    assert axes(free.output[0]) == ['batch', 48, 48]


def test_engine_gives_what_torch_gives(model: ImageNetwork, paths: tuple[Path, Path]) -> None:
    for path, size_hw, batches in ((paths[0], (32, 64), (1,)), (paths[1], (48, 48), (1, 3, 4))):
        for batch in batches:
            image_nhwc = random_images(batch, *size_hw, 3)
            expected = run_torch(model, image_nhwc)
            # FP16 weights carry 11 significant bits, so results agree to about a thousandth.
            difference = np.abs(run_file(path, image_nhwc) - expected).max()
            assert difference < 5e-3 * np.abs(expected).max()


def test_weights_are_half_precision_and_nothing_else_is(paths: tuple[Path, Path]) -> None:
    graph = onnx.load(paths[0]).graph
    stored = {item.name: item.data_type for item in graph.initializer}
    halved = {name for name, kind in stored.items() if kind == onnx.TensorProto.FLOAT16}
    # Nine of the ten 3x3 convolutions have 512 weights or more; 3 x 3 x 3 x 8 of the first do not.
    assert len(halved) == 9
    assert all(name.endswith('.fp16') for name in halved)
    parameters = sum(int(np.prod(item.dims)) for item in graph.initializer)
    assert paths[0].stat().st_size < 2.2 * parameters


def test_float32_gives_the_trained_network(model: ImageNetwork, exact: Path) -> None:
    kinds = {item.data_type for item in onnx.load(exact).graph.initializer}
    assert kinds & REAL_TYPES == {onnx.TensorProto.FLOAT}
    image_nhwc = random_images(1, 32, 64, 3)
    expected = run_torch(model, image_nhwc)
    assert np.abs(run_file(exact, image_nhwc) - expected).max() < 1e-5 * np.abs(expected).max()


def uses_of_bytes(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node if 'image' in node.input]


def test_bytes_meet_nothing_but_a_cast(paths: tuple[Path, Path], exact: Path) -> None:
    # TensorRT refuses any other operation on them.
    for path in (*paths, exact):
        assert uses_of_bytes(path) == ['Cast']


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_float16_is_strongly_typed(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(architecture=architecture, width=8, norm='batch'))
    model = ImageNetwork(network).eval()
    path = tmp_path / 'half.onnx'
    export_network(model, path, (32, 64), max_batch=4, precision='float16')
    graph = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True).graph
    kinds = {item.name: item.type.tensor_type.elem_type for item in graph.value_info}
    kinds |= {item.name: item.data_type for item in graph.initializer}
    real = {kind for kind in kinds.values() if kind in REAL_TYPES}
    assert real == {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    float32 = {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}
    # Only the normalisation of the image, up to the cast to FP16, is float32.
    takers = {node.op_type for node in graph.node if float32 & set(node.input)}
    assert takers <= {'Transpose', 'Sub', 'Div', 'Cast', 'Resize'}
    assert {node.op_type for node in graph.node if float32 & set(node.output)} <= {
        'Cast', 'Transpose', 'Sub', 'Div'
    }  # fmt: skip
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    last = next(node for node in graph.node if 'logits' in node.output)
    assert last.op_type == 'Cast'
    assert uses_of_bytes(path) == ['Cast']
    image_nhwc = random_images(3, 32, 64, 3)
    expected = run_torch(model, image_nhwc)
    spread = expected.max() - expected.min()
    assert np.abs(run_file(path, image_nhwc) - expected).max() < 0.01 * max(spread, 1.0)


def test_a_prior_is_a_fourth_channel(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(width=8, norm='batch'), inputs=4)
    model = ImageNetwork(network, prior=True).eval()
    path, image_nhwc = tmp_path / 'prior.onnx', random_images(2, 32, 64, 4)
    export_network(model, path, (32, 64), max_batch=4, precision='float32')
    assert axes(onnx.load(path).graph.input[0]) == ['batch', 32, 64, 4]
    expected = run_torch(model, image_nhwc)
    assert np.abs(run_file(path, image_nhwc) - expected).max() < 1e-5 * np.abs(expected).max()


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


def test_the_trained_network_stays_as_it_is(model: ImageNetwork) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for precision in PRECISIONS:
        as_stored(model, precision)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_command_offers_every_precision() -> None:
    assert export_verb._PRECISIONS == PRECISIONS
