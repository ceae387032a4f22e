"""Networks in older words: what they no longer hold, and that they compute the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.rtx import CAPABILITY, require_rtx

from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu
from stseg_ros.engines.network_rewrite.network_steps import prepare_network
from stseg_ros.engines.network_rewrite.older_parsers import suit_older_parsers
from stseg_ros.engines.plan_build import plans as tensorrt_build
from stseg_ros.engines.plan_build import target as build_target
from stseg_ros.engines.plan_build.plans import BuildRequest, build_plan, network_request
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder

MODELS = Path(__file__).parents[3] / 'models'
SHIPPED = sorted(MODELS.glob('*/*.onnx'))
SHAPE = (2, 3, 4, 5)


def make_model(nodes: list[onnx.NodeProto], element: int, **constants: Any) -> onnx.ModelProto:
    """Make a network of N x 3 x 4 x 5 numbers in opset 18, whose output is `y`."""
    graph = helper.make_graph(
        nodes,
        'graph',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['n', *SHAPE[1:]])],
        [helper.make_tensor_value_info('y', element, None)],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    # Outputs of an unknown shape are not allowed: take the one that follows from the nodes.
    inferred = onnx.shape_inference.infer_shapes(model).graph.output
    del model.graph.output[:]
    model.graph.output.extend(inferred)
    return model


def numbers(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def run(model: bytes, name: str, values: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options).run(None, {name: values})[0]


def rewritten(model: onnx.ModelProto) -> bytes:
    suit_older_parsers(model)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def operators(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


def newer_words(model: bytes) -> list[str]:
    """List what a parser of opset 17 passes over."""
    found = []
    for node in onnx.load_from_string(model).graph.node:
        if node.op_type.startswith('Reduce') and node.op_type != 'ReduceSum':
            found += [f'{node.op_type} {name}' for name in node.input[1:]]
        if node.op_type == 'Shape':
            found += [f'Shape {attribute.name}' for attribute in node.attribute]
    return found


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: f'{path.parent.name}-{path.stem}')
@pytest.mark.parametrize('half', [False, True])
def test_shipped_networks_hold_nothing_newer(path: Path, half: bool) -> None:
    prepared = prepare_network(
        path, half=half, order=ChannelOrder.RGB, logits='bytes', for_older_parser=True
    )
    assert newer_words(prepared) == []


@pytest.mark.parametrize('stage', ['coarse', 'refine'])
def test_a_shipped_network_computes_the_same(stage: str) -> None:
    path = MODELS / 'driving_small' / f'{stage}.onnx'
    assert newer_words(path.read_bytes())
    original = onnx.load(path)
    image = original.graph.input[0]
    batch, *shape = (axis.dim_value for axis in image.type.tensor_type.shape.dim)
    images = np.random.default_rng(1).integers(0, 256, (batch or 2, *shape), np.uint8)
    prepared = prepare_network(path, half=False, order=ChannelOrder.RGB, logits='float32')
    expected = run(path.read_bytes(), image.name, images)
    np.testing.assert_allclose(run(prepared, image.name, images), expected, atol=1e-4)


def test_the_real_builder_takes_it() -> None:
    library = require_rtx()
    path = MODELS / 'driving_small' / 'refine.onnx'
    request = network_request(path, max_batch=4, compute_capability=CAPABILITY)
    # A million weights in FP16 are 2 MB.
    assert len(build_plan(library, request)) > 2e6


@pytest.mark.parametrize('axes', [[2, 3], [3, 2], [-2, -1], [-1, 2]], ids=str)
@pytest.mark.parametrize(('attributes', 'keeps'), [({'keepdims': 0}, False), ({}, True)])
def test_a_mean_over_images(axes: list[int], attributes: dict[str, int], keeps: bool) -> None:
    node = helper.make_node('ReduceMean', ['x', 'axes'], ['y'], **attributes)
    model = rewritten(make_model([node], TensorProto.FLOAT, axes=axes))
    assert 'ReduceMean' not in operators(model)
    expected = numbers().astype(float).mean(axis=(2, 3), keepdims=keeps)
    mean = run(model, 'x', numbers())
    assert mean.shape == expected.shape
    np.testing.assert_allclose(mean, expected, atol=1e-6)


@pytest.mark.parametrize('axes', [[1], [1, 2], [1, 2, 3], [3]], ids=str)
def test_other_means_stay(axes: list[int]) -> None:
    node = helper.make_node('ReduceMean', ['x', 'axes'], ['y'], keepdims=0)
    model = rewritten(make_model([node], TensorProto.FLOAT, axes=axes))
    assert operators(model) == ['ReduceMean']
    expected = numbers().astype(float).mean(axis=tuple(axes))
    np.testing.assert_allclose(run(model, 'x', numbers()), expected, atol=1e-6)


@pytest.mark.parametrize('version', ['9.3.0', '10.0.1'])
def test_an_older_library_gets_no_axes_that_it_would_misread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    node = helper.make_node('ReduceMax', ['x', 'axes'], ['y'], keepdims=0)
    onnx.save(make_model([node], TensorProto.FLOAT, axes=[1]), tmp_path / 'n.onnx')
    gpu = NvidiaGpu(name='T', compute_capability='8.9', multiprocessors=4, driver_cuda_major=12)
    monkeypatch.setattr(build_target, 'find_gpu', lambda: gpu)
    monkeypatch.setattr(tensorrt_build, 'run_builder', lambda *_: b'plan')
    library = TensorRtLibrary(name='tensorrt', version=version, module=None)
    request = BuildRequest(network=tmp_path / 'n.onnx', precision='fp32')
    if version == '10.0.1':
        assert build_plan(library, request) == b'plan'
        return
    with pytest.raises(EngineError, match=r"n\.onnx: TensorRT before 10 .* ReduceMax 'y'; export"):
        build_plan(library, request)


@pytest.mark.parametrize(
    'attributes',
    [
        {'start': 0, 'end': 2},
        {'start': 1, 'end': 3},
        {'start': 2},
        {'end': 1},
        {'start': -2},
        {'start': -3, 'end': -1},
        {'start': -9, 'end': 9},
        {'start': 0},
    ],
    ids=str,
)
def test_a_part_of_a_shape(attributes: dict[str, int]) -> None:
    node = helper.make_node('Shape', ['x'], ['y'], **attributes)
    model = rewritten(make_model([node], TensorProto.INT64))
    assert newer_words(model) == []
    expected = SHAPE[attributes.get('start') : attributes.get('end')]
    assert run(model, 'x', numbers()).tolist() == list(expected)


def test_a_whole_shape_stays() -> None:
    model = rewritten(make_model([helper.make_node('Shape', ['x'], ['y'])], TensorProto.INT64))
    assert operators(model) == ['Shape']
