"""Networks with two convolutions, small enough to build in a moment and to compute by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MEAN, STD = 110.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConvWeights:
    """The weights of both convolutions: 3x3, then 1x1."""

    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray


def conv_weights(seed: int = 0, channels: int = 3, hidden: int = 8) -> ConvWeights:
    """Draw weights that FP16 holds exactly."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0.0, 0.5, shape).astype(np.float16).astype(np.float32)

    return ConvWeights(
        first=draw(hidden, channels, 3, 3),
        first_bias=draw(hidden),
        second=draw(1, hidden, 1, 1),
        second_bias=draw(1),
    )


def write_conv_network(
    path: Path,
    size_hw: tuple[int, int],
    *,
    batch: int | None = None,
    weights: ConvWeights | None = None,
    channels: int = 3,
    stored_half: bool = False,
) -> Path:
    """Write uint8 NHWC -> normalise -> 3x3 -> ReLU -> 1x1 -> float32 NHW logits.

    With `stored_half` the weights are FP16 with a cast, as `half_weights` bundles store them.
    """
    weights = weights or conv_weights(channels=channels)
    height, width = size_hw
    nodes = [
        helper.make_node('Cast', ['image'], ['real'], to=TensorProto.FLOAT),
        helper.make_node('Transpose', ['real'], ['planes'], perm=[0, 3, 1, 2]),
        helper.make_node('Sub', ['planes', 'mean'], ['centred']),
        helper.make_node('Div', ['centred', 'std'], ['normal']),
        helper.make_node('Conv', ['normal', 'first', 'first_bias'], ['hidden'], pads=[1] * 4),
        helper.make_node('Relu', ['hidden'], ['active']),
        helper.make_node('Conv', ['active', 'second', 'second_bias'], ['deep']),
        helper.make_node('Squeeze', ['deep', 'axes'], ['logits']),
    ]
    initializers = [
        numpy_helper.from_array(np.float32([[[[MEAN]]]]), 'mean'),
        numpy_helper.from_array(np.float32([[[[STD]]]]), 'std'),
        numpy_helper.from_array(np.array([1], np.int64), 'axes'),
        numpy_helper.from_array(weights.first_bias, 'first_bias'),
        numpy_helper.from_array(weights.second_bias, 'second_bias'),
    ]
    for name in ('first', 'second'):
        values = getattr(weights, name)
        if stored_half:
            initializers.append(numpy_helper.from_array(values.astype(np.float16), f'{name}.fp16'))
            nodes.insert(
                0, helper.make_node('Cast', [f'{name}.fp16'], [name], to=TensorProto.FLOAT)
            )
        else:
            initializers.append(numpy_helper.from_array(values, name))
    axis = 'n' if batch is None else batch
    shape = [axis, height, width]
    graph = helper.make_graph(
        nodes,
        'convolutions',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [*shape, channels])],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, shape)],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def conv_logits(image_nhwc: np.ndarray, weights: ConvWeights) -> np.ndarray:
    """Compute the network's logits in float64, tap by tap."""
    normal = (image_nhwc.astype(float) - MEAN) / STD
    padded = np.pad(normal, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = image_nhwc.shape[1:3]
    hidden = np.zeros((*image_nhwc.shape[:3], 1)) + weights.first_bias
    for row in range(3):
        for column in range(3):
            tap = padded[:, row : row + height, column : column + width]
            hidden += tap @ weights.first[:, :, row, column].T.astype(float)
    return np.maximum(hidden, 0.0) @ weights.second[0, :, 0, 0] + float(weights.second_bias[0])
