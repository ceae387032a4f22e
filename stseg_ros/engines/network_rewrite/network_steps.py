"""Prepares an ONNX network for a builder of plans: its arithmetic, and the steps around it.

Everything that a plan computes beyond the file's network is done here as graph operations, so that
any ONNX engine can run and test it.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from stseg_ros.engines.engine_protocol import BYTES, FROM_BGR
from stseg_ros.engines.network_rewrite import half_graph, older_parsers
from stseg_ros.engines.onnx_source import OnnxSource, read_source
from stseg_ros.engines.tensorrt.library import one_line
from stseg_ros.errors import EngineError
from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO
from stseg_ros.records import ChannelOrder

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


def prepare_network(
    source: OnnxSource,
    *,
    half: bool,
    order: ChannelOrder,
    logits: str,
    for_older_parser: bool = False,
) -> bytes:
    """Read a network and rewrite it as a builder needs it.

    Args:
        source: the network.
        half: compute in FP16, see `half_graph`; else in the types that the file states, which
            must then not be FP16.
        order: channel order of the images that will come; BGR is brought to RGB in the graph.
        logits: 'float32' leaves the outputs as they are; 'bytes' makes the only output uint8,
            see `logit_bytes`.
        for_older_parser: refuse what parsers of opset 17 misread, see `older_parsers`.

    Returns:
        The serialized ONNX model.

    Raises:
        EngineError: the file is no ONNX network, or is one that a step cannot be added to.
    """
    model = load_network(source)
    try:
        fold_constants(model)
        older_parsers.suit_older_parsers(model)
        if for_older_parser:
            older_parsers.refuse_newer_axes(model.graph)
        if half:
            half_graph.to_half(model)
        _drop_unused_weights(model.graph)
        if not half:
            _refuse_half(model.graph)
        if order is ChannelOrder.BGR:
            _add_from_bgr(model.graph)
        if logits == BYTES:
            _add_to_bytes(model.graph)
        onnx.checker.check_model(model, full_check=True)
    except EngineError as err:
        raise EngineError(f'{source}: {err}') from err
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as err:
        raise EngineError(f'{source} is not valid ONNX: {one_line(err)}') from err
    content: bytes = model.SerializeToString()
    return content


def load_network(source: OnnxSource) -> Any:
    """Read an ONNX network.

    Args:
        source: the network.

    Returns:
        The model.

    Raises:
        EngineError: it is missing, no ONNX network, or not all in one file.
    """
    content = read_source(source).content
    try:
        model = onnx.load_model_from_string(content)
    # Protobuf's errors share no base of their own below Exception across its versions.
    except Exception as err:
        raise EngineError(f'{source} is no ONNX network ({one_line(err)})') from err
    if not model.graph.node:
        raise EngineError(f'{source} is no ONNX network (it has no nodes)')
    # Neither a bundle's checksums nor the keys of plans would notice a change of that file.
    if any(external_data_helper.uses_external_data(each) for each in model.graph.initializer):
        raise EngineError(
            f'{source} keeps weights in another file; save it as one file, '
            "as onnx.save(onnx.load('network.onnx'), 'one_file.onnx') does"
        )
    return model


def steps_version() -> str:
    """Name this version of the rewriting, for the keys of plans.

    Returns:
        A hash of its code and constants: plans built by other code are not taken for this one's.
    """
    modules = (sys.modules[__name__], half_graph, older_parsers)
    code = ''.join(inspect.getsource(module) for module in modules)
    code += repr((FROM_BGR, STEPS_PER_LOGIT, ZERO))
    return hashlib.sha256(code.encode()).hexdigest()[:12]


def fold_constants(model: Any) -> None:
    """Compute casts of weights and constant nodes once, in place.

    The bundles' networks store weights as FP16 and cast them in the graph; not every version of
    TensorRT takes a convolution whose weights come from a layer.

    Args:
        model: the network.
    """
    graph = model.graph
    weights = {weight.name: weight for weight in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type == 'Constant':
            values = _constant_values(node)
        elif node.op_type == 'Cast' and node.input[0] in weights:
            element = helper.get_node_attr_value(node, 'to')
            dtype = helper.tensor_dtype_to_np_dtype(element)
            values = numpy_helper.to_array(weights[node.input[0]]).astype(dtype)
        else:
            kept.append(node)
            continue
        weights[node.output[0]] = numpy_helper.from_array(values, node.output[0])
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(weights.values())


def _constant_values(node: Any) -> Any:
    """Read what a Constant node holds: a tensor, or one or several plain numbers."""
    (attribute,) = node.attribute
    value = helper.get_attribute_value(attribute)
    if attribute.name == 'value':
        return numpy_helper.to_array(value)
    return np.array(value, np.float32 if 'float' in attribute.name else np.int64)


def _drop_unused_weights(graph: Any) -> None:
    """Remove weights that no node reads any more."""
    used = {name for node in graph.node for name in node.input}
    used |= {value.name for value in graph.output}
    kept = [weight for weight in graph.initializer if weight.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _add_from_bgr(graph: Any) -> None:
    """Change the order of the channels right after the images became real numbers.

    Before, they are uint8, which TensorRT only casts.
    """
    image = graph.input[0]
    readers = [node for node in graph.node if image.name in node.input]
    channels = image.type.tensor_type.shape.dim[-1].dim_value
    if not 3 <= channels <= len(FROM_BGR) or not all(node.op_type == 'Cast' for node in readers):
        raise EngineError(
            f'input {image.name!r} cannot be taken as BGR: images of 3 to {len(FROM_BGR)} '
            'channels that are first cast to real numbers are expected'
        )
    indices = np.array(FROM_BGR[:channels], np.int64)
    graph.initializer.append(numpy_helper.from_array(indices, 'from_bgr'))
    for cast in readers:
        rgb, bgr = cast.output[0], f'{cast.output[0]}.bgr'
        cast.output[0] = bgr
        gather = helper.make_node('Gather', [bgr, 'from_bgr'], [rgb], f'{rgb}.rgb', axis=-1)
        graph.node.insert(list(graph.node).index(cast) + 1, gather)


def _add_to_bytes(graph: Any) -> None:
    """Append 128 + 16 x logit, rounded half to even, cut off at 0 and 255, as uint8."""
    if len(graph.output) != 1 or graph.output[0].type.tensor_type.elem_type not in _FLOATS:
        raise EngineError('logits as bytes need a network with one floating-point output')
    output = graph.output[0]
    logits = f'{output.name}.real'
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == output.name:
                    names[index] = logits
    scalars = {'steps': STEPS_PER_LOGIT, 'zero': ZERO, 'lowest': 0, 'highest': 255}
    names = {name: f'{output.name}.{name}' for name in scalars}
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), names[name])
        for name, value in scalars.items()
    )
    stages = [f'{output.name}.{index}' for index in range(5)]
    graph.node.extend(
        [
            helper.make_node('Cast', [logits], [stages[0]], to=TensorProto.FLOAT),
            helper.make_node('Mul', [stages[0], names['steps']], [stages[1]]),
            helper.make_node('Add', [stages[1], names['zero']], [stages[2]]),
            helper.make_node('Round', [stages[2]], [stages[3]]),
            helper.make_node('Clip', [stages[3], names['lowest'], names['highest']], [stages[4]]),
            helper.make_node('Cast', [stages[4]], [output.name], to=TensorProto.UINT8),
        ]
    )
    output.type.tensor_type.elem_type = TensorProto.UINT8


def _refuse_half(graph: Any) -> None:
    """Refuse what cannot be built in float32, because its weights have been rounded for good."""
    for weight in graph.initializer:
        if weight.data_type == TensorProto.FLOAT16:
            raise EngineError(
                f'it computes in FP16 as it was exported (weight {weight.name!r}); build it with '
                '--precision fp16, or export it again with --precision half_weights'
            )
