"""The rewriting of graphs to FP16: which tensors, and what they compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.tiny_networks import conv_logits, conv_weights, write_conv_network

from stseg_ros.engines.network_rewrite.half_graph import to_half
from stseg_ros.errors import EngineError

HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT
POINT = np.ones((2, 2, 1, 1), np.float32)


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """Infer the type of every tensor anew, as a builder does."""
    onnx.checker.check_model(model, full_check=True)
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def make_model(
    nodes: list[onnx.NodeProto],
    outputs: list[str],
    weights: dict[str, np.ndarray],
    inputs: tuple[str, ...] = ('x',),
) -> onnx.ModelProto:
    """Make a graph of float32 tensors of two channels, 4 x 4."""
    graph = helper.make_graph(
        nodes,
        'graph',
        [helper.make_tensor_value_info(name, FLOAT, [1, 2, 4, 4]) for name in inputs],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    # Outputs of an unknown shape are not allowed: take the one that follows from the nodes.
    inferred = onnx.shape_inference.infer_shapes(model).graph.output
    del model.graph.output[:]
    model.graph.output.extend(inferred)
    return model


def run(model: onnx.ModelProto, **inputs: np.ndarray) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 2, 4, 4)).astype(np.float32)


def test_normalisation_stays_float32_and_convolutions_become_half(tmp_path: Path) -> None:
    model = onnx.load(write_conv_network(tmp_path / 'network.onnx', (8, 16)))
    to_half(model)
    types = element_types(model)
    assert {
        name: types[name] for name in ('real', 'planes', 'centred', 'normal')
    } == dict.fromkeys(('real', 'planes', 'centred', 'normal'), FLOAT)
    assert {types[name] for name in ('hidden', 'active', 'deep')} == {HALF}
    assert (types['image'], types['logits']) == (TensorProto.UINT8, FLOAT)
    weights = {weight.name: weight.data_type for weight in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == 'Conv']
    assert len(convolutions) == 2
    for node in convolutions:
        assert {weights[name] for name in node.input[1:]} == {HALF}


def test_logits_agree_to_the_precision_of_fp16_and_no_better(tmp_path: Path) -> None:
    model = onnx.load(write_conv_network(tmp_path / 'network.onnx', (8, 16)))
    image = np.random.default_rng(1).integers(0, 256, (2, 8, 16, 3), np.uint8)
    expected = conv_logits(image, conv_weights())
    (exact,) = run(model, image=image)
    to_half(model)
    (rounded,) = run(model, image=image)
    np.testing.assert_allclose(exact, expected, atol=1e-5)
    error = np.abs(rounded - expected).max()
    # Logits reach about 10, where FP16 has steps of 0.008; float32 errs by less than 1e-5.
    assert 1e-4 < error < 0.03


def test_an_explicit_cast_to_float32_holds() -> None:
    nodes = [
        helper.make_node('Conv', ['x', 'w'], ['a']),
        helper.make_node('Cast', ['a'], ['b'], to=FLOAT),
        helper.make_node('Sigmoid', ['b'], ['c']),
        helper.make_node('Conv', ['c', 'w'], ['d']),
    ]
    model = make_model(nodes, ['c', 'd'], {'w': POINT})
    to_half(model)
    types = element_types(model)
    assert (types['a'], types['b'], types['c'], types['d']) == (HALF, FLOAT, FLOAT, FLOAT)
    outputs = run(model, x=picture())
    summed = picture().sum(1, keepdims=True).repeat(2, 1)
    np.testing.assert_allclose(outputs[0], 1.0 / (1.0 + np.exp(-summed)), atol=2e-3)
    np.testing.assert_allclose(outputs[1], 2.0 * outputs[0], atol=4e-3)


def test_a_sum_with_a_float32_tensor_is_float32() -> None:
    nodes = [
        helper.make_node('Conv', ['x', 'w'], ['a']),
        helper.make_node('Add', ['a', 'y'], ['b']),
        helper.make_node('Relu', ['b'], ['c']),
    ]
    model = make_model(nodes, ['c'], {'w': POINT}, inputs=('x', 'y'))
    to_half(model)
    types = element_types(model)
    assert (types['a'], types['b'], types['c']) == (HALF, FLOAT, FLOAT)
    summed = picture().sum(1, keepdims=True) + picture(1)
    np.testing.assert_allclose(
        run(model, x=picture(), y=picture(1))[0], np.maximum(summed, 0.0), atol=4e-3
    )


def test_outputs_keep_name_and_type_where_they_are_read_inside_too() -> None:
    nodes = [
        helper.make_node('Conv', ['x', 'w'], ['a']),
        helper.make_node('Relu', ['a'], ['b']),
    ]
    model = make_model(nodes, ['a', 'b'], {'w': POINT})
    to_half(model)
    types = element_types(model)
    assert (types['a'], types['b']) == (FLOAT, FLOAT)
    a, b = run(model, x=picture())
    np.testing.assert_allclose(
        a, np.broadcast_to(picture().sum(1, keepdims=True), a.shape), atol=4e-3
    )
    np.testing.assert_array_equal(b, np.maximum(a, 0.0))


def test_scales_of_a_resize_stay_float32() -> None:
    nodes = [
        helper.make_node('Conv', ['x', 'w'], ['a']),
        helper.make_node('Resize', ['a', '', 'scales'], ['b'], mode='nearest'),
        helper.make_node('Conv', ['b', 'w'], ['c']),
    ]
    scales = np.array([1, 1, 2, 2], np.float32)
    model = make_model(nodes, ['c'], {'w': POINT, 'scales': scales})
    to_half(model)
    assert element_types(model)['b'] == HALF
    (c,) = run(model, x=picture())
    expected = 2.0 * picture().sum(1).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(c[:, 0], expected, atol=8e-3)


def test_one_weight_serves_half_and_float32_readers() -> None:
    nodes = [
        helper.make_node('Mul', ['x', 'scale'], ['a']),
        helper.make_node('Conv', ['a', 'w'], ['b']),
        helper.make_node('Mul', ['b', 'scale'], ['c']),
    ]
    model = make_model(nodes, ['c'], {'w': POINT, 'scale': np.array([3.0], np.float32)})
    to_half(model)
    types = element_types(model)
    assert (types['a'], types['b']) == (FLOAT, HALF)
    np.testing.assert_allclose(run(model, x=picture())[0][:, 0], 9.0 * picture().sum(1), atol=4e-2)


def test_a_graph_in_fp16_is_left_as_it_is() -> None:
    nodes = [
        helper.make_node('Cast', ['x'], ['h'], to=HALF),
        helper.make_node('Conv', ['h', 'w'], ['a']),
        helper.make_node('Relu', ['a'], ['b']),
        helper.make_node('Cast', ['b'], ['c'], to=FLOAT),
    ]
    model = make_model(nodes, ['c'], {'w': POINT.astype(np.float16)})
    before = [node.SerializeToString() for node in model.graph.node]
    to_half(model)
    assert [node.SerializeToString() for node in model.graph.node] == before


@pytest.mark.parametrize('value', [7e4, np.inf, np.nan])
def test_a_weight_beyond_fp16_is_refused(value: float) -> None:
    node = helper.make_node('Conv', ['x', 'w'], ['a'])
    model = make_model([node], ['a'], {'w': np.full_like(POINT, value)})
    with pytest.raises(EngineError, match=r"weight 'w' .* --precision fp32"):
        to_half(model)


def test_branches_are_refused() -> None:
    branch = helper.make_graph(
        [helper.make_node('Identity', ['x'], ['chosen'])],
        'branch',
        [],
        [helper.make_tensor_value_info('chosen', FLOAT, [1, 2, 4, 4])],
    )
    node = helper.make_node('If', ['yes'], ['a'], 'gate', then_branch=branch, else_branch=branch)
    model = make_model([node], ['a'], {'yes': np.array(True)})
    with pytest.raises(EngineError, match=r"'gate' is a branch .* --precision fp32"):
        to_half(model)
