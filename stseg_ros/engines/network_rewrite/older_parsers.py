"""Says in older words what the parsers of TensorRT 8.6 to 9.3 take for something else.

They know the operators up to opset 17, and read a later network all the same: they pass over the
axes that opset 18 made an input of ReduceMean, and over the start and end of Shape. The words used
instead mean the same in every opset from 15 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stseg_ros.errors import EngineError

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
# Height and width of an image's planes, N x channels x height x width.
_IMAGE_RANK, _IMAGE_AXES = 4, {2, 3}
# Their axes became an input in opset 18; ReduceSum's had been one since 13.
_AXES_SINCE_18 = {
    'ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean',
    'ReduceMin', 'ReduceProd', 'ReduceSumSquare',
}  # fmt: skip
# Beyond the last axis; TensorRT counts shapes with 32 bits before version 10.
_ALL_AXES = 2**31 - 1


def suit_older_parsers(model: onnx.ModelProto) -> None:
    """Replace means over images and parts of shapes, in place.

    Means over other axes stay as they are, see `refuse_newer_axes`.

    Args:
        model: its constants are initializers, see `network_steps.fold_constants`.
    """
    graph: Any = model.graph
    tensors = _tensor_types(model)
    constants = {constant.name: constant for constant in graph.initializer}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == 'Shape' and node.attribute:
            nodes.extend(_part_of_shape(node, graph))
        elif node.op_type == 'ReduceMean' and _is_over_image(node, tensors, constants):
            nodes.extend(_mean_over_image(node, graph))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def refuse_newer_axes(graph: Any) -> None:
    """Refuse what an older parser would compute over all axes without a word.

    Args:
        graph: the network's graph, rewritten.

    Raises:
        EngineError: a node has its axes as an input where it had an attribute before opset 18.
    """
    for node in graph.node:
        if node.op_type in _AXES_SINCE_18 and len(node.input) > 1:
            raise EngineError(
                f'TensorRT before 10 does not read the axes of {node.op_type} '
                f'{node.output[0]!r}; export it with opset 17, or take TensorRT 10 or later'
            )


def _part_of_shape(node: Any, graph: Any) -> list[Any]:
    """Take a whole shape, and from it the part that is asked for."""
    given = {attribute.name: attribute.i for attribute in node.attribute}
    start, end = given.get('start', 0), given.get('end', _ALL_AXES)
    (name,) = node.output
    whole = f'{name}.whole'
    bounds = [
        _add_numbers(graph, f'{name}.{word}', at) for word, at in (('start', start), ('end', end))
    ]
    return [
        helper.make_node('Shape', node.input, [whole], whole),
        helper.make_node('Slice', [whole, *bounds], [name], node.name),
    ]


def _is_over_image(node: Any, tensors: dict[str, Any], constants: dict[str, Any]) -> bool:
    """Say whether a mean has its axes as an input, and they are an image's height and width."""
    if len(node.input) != 2 or node.input[1] not in constants:
        return False
    features = tensors.get(node.input[0])
    if features is None or features.elem_type not in _FLOATS:
        return False
    axes = numpy_helper.to_array(constants[node.input[1]])
    rank = len(features.shape.dim)
    return rank == _IMAGE_RANK and {int(axis) % rank for axis in axes} == _IMAGE_AXES


def _mean_over_image(node: Any, graph: Any) -> list[Any]:
    """Pool, which keeps both axes at length 1, and drop them where they are not kept."""
    keeps_axes = all(attribute.i for attribute in node.attribute if attribute.name == 'keepdims')
    (name,) = node.output
    features = node.input[:1]
    if keeps_axes:
        return [helper.make_node('GlobalAveragePool', features, [name], node.name)]
    pooled = f'{name}.pooled'
    axes = _add_numbers(graph, f'{name}.axes', *sorted(_IMAGE_AXES))
    return [
        helper.make_node('GlobalAveragePool', features, [pooled], pooled),
        helper.make_node('Squeeze', [pooled, axes], [name], node.name),
    ]


def _add_numbers(graph: Any, name: str, *numbers: int) -> str:
    """Add a constant of whole numbers and return its name."""
    graph.initializer.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
    return name


def _tensor_types(model: onnx.ModelProto) -> dict[str, Any]:
    """List element type and shape of every tensor that has a known one."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {
        value.name: value.type.tensor_type
        for value in values
        if value.type.tensor_type.HasField('shape')
    }
