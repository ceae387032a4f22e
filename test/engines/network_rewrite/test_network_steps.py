"""Networks prepared for a builder, run by ONNX Runtime."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.tiny_bundle import write_redness_network
from support.tiny_features import write_linear_network
from support.tiny_networks import conv_logits, conv_weights, write_conv_network

from stseg_ros.engines.network_rewrite import network_steps
from stseg_ros.engines.network_rewrite.network_steps import prepare_network, steps_version
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder

RGB, BGR = ChannelOrder.RGB, ChannelOrder.BGR


def run(model: bytes, image: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(model).run(None, {'image': image})[0]


def random_image(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (2, 8, 16, channels), np.uint8)


def write_ramp_network(path: Path) -> Path:
    """Write a network whose logits are ``(pixel - 128) / 32``, so that every other byte is a tie.

    32nds of a logit are half steps of a byte: 128 + 16 x logit = 64 + pixel / 2.
    """
    graph = helper.make_graph(
        [
            helper.make_node('Cast', ['image'], ['real'], to=TensorProto.FLOAT),
            helper.make_node('Sub', ['real', 'zero'], ['signed']),
            helper.make_node('Div', ['signed', 'steps'], ['deep']),
            helper.make_node('Squeeze', ['deep', 'axes'], ['logits']),
        ],
        'ramp',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, 16, 16, 1])],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, [1, 16, 16])],
        [
            numpy_helper.from_array(np.float32(128), 'zero'),
            numpy_helper.from_array(np.float32(32), 'steps'),
            numpy_helper.from_array(np.array([3], np.int64), 'axes'),
        ],
    )
    opset = helper.make_opsetid('', 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


@pytest.mark.parametrize('stored_half', [False, True])
def test_float32_is_exact(tmp_path: Path, stored_half: bool) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16), stored_half=stored_half)
    model = prepare_network(path, half=False, order=RGB, logits='float32')
    logits = run(model, random_image())
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, conv_logits(random_image(), conv_weights()), atol=1e-5)


@pytest.mark.parametrize('half', [False, True])
def test_weights_are_constants_in_the_arithmetic_asked_for(tmp_path: Path, half: bool) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16), stored_half=True)
    graph = onnx.load_from_string(
        prepare_network(path, half=half, order=RGB, logits='float32')
    ).graph
    weights = {weight.name: weight for weight in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    assert set(weights) <= read
    wanted = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    for node in graph.node:
        if node.op_type == 'Conv':
            assert [weights[name].data_type for name in node.input[1:]] == [wanted, wanted]


def test_constant_nodes_become_weights(tmp_path: Path) -> None:
    path = tmp_path / 'n.onnx'
    model = onnx.load(write_conv_network(path, (8, 16)))
    first = next(weight for weight in model.graph.initializer if weight.name == 'first')
    model.graph.initializer.remove(first)
    tensor = helper.make_node('Constant', [], ['first'], value=first)
    gain = helper.make_node('Constant', [], ['gain'], value_float=2.0)
    scaled = helper.make_node('Mul', ['deep', 'gain'], ['scaled'])
    model.graph.node[-1].input[0] = 'scaled'
    model.graph.node.insert(len(model.graph.node) - 1, scaled)
    model.graph.node.insert(0, gain)
    model.graph.node.insert(0, tensor)
    onnx.save(model, path)
    prepared = prepare_network(path, half=True, order=RGB, logits='float32')
    assert 'Constant' not in {node.op_type for node in onnx.load_from_string(prepared).graph.node}
    expected = 2.0 * conv_logits(random_image(), conv_weights())
    np.testing.assert_allclose(run(prepared, random_image()), expected, atol=0.06)


@pytest.mark.parametrize('half', [False, True])
@pytest.mark.parametrize('channels', [3, 4])
def test_bgr_gives_the_logits_of_rgb(tmp_path: Path, half: bool, channels: int) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16), channels=channels)
    rgb = random_image(channels)
    bgr = np.ascontiguousarray(rgb[..., [2, 1, 0, 3][:channels]])
    expected = run(prepare_network(path, half=half, order=RGB, logits='float32'), rgb)
    logits = run(prepare_network(path, half=half, order=BGR, logits='float32'), bgr)
    np.testing.assert_array_equal(logits, expected)
    assert not np.array_equal(
        run(prepare_network(path, half=half, order=BGR, logits='float32'), rgb), expected
    )


def test_bytes_are_rounded_half_to_even(tmp_path: Path) -> None:
    path = write_ramp_network(tmp_path / 'ramp.onnx')
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    steps = run(prepare_network(path, half=False, order=RGB, logits='bytes'), image)
    # 64 + pixel / 2 in whole numbers: of two neighbours that are equally near, the even one.
    expected = [64 + pixel // 2 + (pixel % 2 and (64 + pixel // 2) % 2) for pixel in range(256)]
    assert steps.dtype == np.uint8
    assert steps.shape == (1, 16, 16)
    assert steps.reshape(-1).tolist() == expected


@pytest.mark.parametrize('half', [False, True])
def test_bytes_are_cut_off(tmp_path: Path, half: bool) -> None:
    path = tmp_path / 'red.onnx'
    write_redness_network(path, (1, 3), batch=1, gain=12.0)
    image = np.array([[[[255, 0, 9], [0, 255, 9], [7, 7, 9]]]], np.uint8)
    steps = run(prepare_network(path, half=half, order=RGB, logits='bytes'), image)
    assert steps.reshape(-1).tolist() == [255, 0, 128]


def test_bytes_need_one_real_output(tmp_path: Path) -> None:
    path = tmp_path / 'n.onnx'
    model = onnx.load(write_conv_network(path, (8, 16)))
    second = helper.make_tensor_value_info('deep', TensorProto.FLOAT, ['n', 1, 8, 16])
    model.graph.output.append(second)
    onnx.save(model, path)
    with pytest.raises(EngineError, match=r'n\.onnx: logits as bytes need .* one'):
        prepare_network(path, half=False, order=RGB, logits='bytes')


def test_bgr_needs_images(tmp_path: Path) -> None:
    path = write_ramp_network(tmp_path / 'ramp.onnx')
    with pytest.raises(EngineError, match=r"ramp\.onnx: input 'image' cannot be taken as BGR"):
        prepare_network(path, half=False, order=BGR, logits='float32')


@pytest.mark.parametrize('channels', [4, 8, 20])
def test_only_the_colours_of_bgr_change_places(tmp_path: Path, channels: int) -> None:
    gains = np.linspace(-2.0, 3.0, channels)[None]
    path = write_linear_network(tmp_path / 'network.onnx', (8, 16), gains, batch=None)
    rgb = random_image(channels)
    bgr = rgb.copy()
    bgr[..., 0], bgr[..., 2] = rgb[..., 2], rgb[..., 0]
    logits = run(prepare_network(path, half=False, order=BGR, logits='float32'), bgr)
    expected = (rgb.astype(float) * gains[0]).sum(axis=3) / 255.0
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_more_channels_than_stage_1_can_give_are_no_image(tmp_path: Path) -> None:
    path = write_linear_network(tmp_path / 'network.onnx', (8, 16), np.ones((1, 21)), batch=None)
    with pytest.raises(EngineError, match='images of 3 to 20 channels'):
        prepare_network(path, half=False, order=BGR, logits='float32')


@pytest.mark.parametrize('half', [False, True])
def test_features_become_bytes_as_logits_do(tmp_path: Path, half: bool) -> None:
    gains = np.array([[16.0, -16.0, 0.0], [0.0, 2.0, -2.0]])
    path = write_linear_network(tmp_path / 'network.onnx', (8, 16), gains, batch=1)
    image = random_image()[:1]
    steps = run(prepare_network(path, half=half, order=RGB, logits='bytes'), image)
    expected = np.einsum('pc,nyxc->npyx', gains, image.astype(float)) / 255.0
    assert (steps.shape, steps.dtype) == ((1, 2, 8, 16), np.uint8)
    tolerance = 1.0 if half else 0.501
    wanted = np.clip(128.0 + 16.0 * expected, 0.0, 255.0)
    np.testing.assert_array_less(np.abs(steps - wanted), tolerance)


def test_a_network_exported_in_fp16_is_not_built_in_float32(tmp_path: Path) -> None:
    path = tmp_path / 'n.onnx'
    write_conv_network(path, (8, 16))
    path.write_bytes(prepare_network(path, half=True, order=RGB, logits='float32'))
    with pytest.raises(EngineError, match=r'computes in FP16 .* --precision fp16'):
        prepare_network(path, half=False, order=RGB, logits='float32')
    again = prepare_network(path, half=True, order=RGB, logits='float32')
    np.testing.assert_array_equal(
        run(again, random_image()), run(path.read_bytes(), random_image())
    )


@pytest.mark.parametrize('content', [b'', b'\x08\x01broken', b'no network'])
def test_what_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'n.onnx'
    path.write_bytes(content)
    with pytest.raises(EngineError, match=r'n\.onnx is no ONNX network'):
        prepare_network(path, half=False, order=RGB, logits='float32')


def test_invalid_networks_are_one_line(tmp_path: Path) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16))
    model = onnx.load(path)
    relu = next(node for node in model.graph.node if node.op_type == 'Relu')
    relu.op_type = 'Nonsense'
    onnx.save(model, path)
    with pytest.raises(EngineError, match=r'n\.onnx is not valid ONNX: .*Nonsense') as caught:
        prepare_network(path, half=True, order=RGB, logits='bytes')
    assert '\n' not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r'gone\.onnx cannot be read \(No such file'):
        prepare_network(tmp_path / 'gone.onnx', half=False, order=RGB, logits='float32')


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'n.onnx'
    model = onnx.load(write_conv_network(path, (8, 16)))
    onnx.save(model, path, save_as_external_data=True, location='n.data', size_threshold=0)
    with pytest.raises(EngineError, match=r'n\.onnx keeps weights in another file') as refused:
        prepare_network(path, half=False, order=RGB, logits='float32')
    assert '\n' not in str(refused.value)


def test_other_bytes_have_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    version = steps_version()
    monkeypatch.setattr(network_steps, 'STEPS_PER_LOGIT', 8)
    assert steps_version() != version


def test_other_code_has_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    version = steps_version()
    assert steps_version() == version
    real = inspect.getsource
    for changed in ('half_graph', 'network_steps', 'older_parsers'):
        monkeypatch.setattr(
            inspect,
            'getsource',
            lambda module, changed=changed: real(module) + '#' * module.__name__.endswith(changed),
        )
        assert steps_version() != version
