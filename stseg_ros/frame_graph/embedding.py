"""A network as part of a larger graph."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto, NodeProto, TensorProto, load
from onnx.onnx_pb import AttributeProto, ValueInfoProto

from stseg_ros.errors import BundleError
from stseg_ros.frame_graph.graph_writer import GraphWriter

# Between these versions the operators of `stseg_ros.frame_graph` mean the same.
_OLDEST_OPSET = 13


def load_network(
    path: Path, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
) -> ModelProto:
    """Read a network that maps uint8 NHWC to float32 logits.

    Args:
        path: the ONNX file.
        input_shape: (N, h, w, channels) that it will be fed.
        output_shape: (N, h, w) that it will give, or (N, 1 + F, h, w) with features.

    Returns:
        The network.

    Raises:
        BundleError: it does not take such an input, or cannot be part of a larger graph.
    """
    model = _read(path)
    graph = model.graph
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise BundleError(
            f'{path}: has {len(graph.input)} inputs and {len(graph.output)} outputs; '
            'expected one of each'
        )
    if not _fits(graph.input[0], TensorProto.UINT8, input_shape):
        raise BundleError(
            f'{path}: input {graph.input[0].name!r} does not take uint8 '
            f'{"x".join(map(str, input_shape))}, which the geometry in bundle.yaml asks for'
        )
    if not _fits(graph.output[0], TensorProto.FLOAT, output_shape):
        raise BundleError(
            f'{path}: output {graph.output[0].name!r} is not float32 '
            f'{"x".join(map(str, output_shape))}, which the geometry in bundle.yaml asks for'
        )
    if opset_of(model) < _OLDEST_OPSET or any(node.domain for node in graph.node):
        raise BundleError(
            f'{path}: one graph of the whole frame needs plain ONNX operators of version '
            f'{_OLDEST_OPSET} or later; export the network again'
        )
    if any(_holds_graphs(node) for node in graph.node):
        raise BundleError(f'{path}: has loops or branches, which one graph cannot take over')
    return model


def opset_of(model: ModelProto) -> int:
    """Tell the version of a model's operators.

    Args:
        model: the model.

    Returns:
        The version; 0 where it uses no standard operators.
    """
    versions = [entry.version for entry in model.opset_import if entry.domain in {'', 'ai.onnx'}]
    return int(max(versions, default=0))


def embed_network(graph: GraphWriter, model: ModelProto, name: str, batch_nhwc: str) -> str:
    """Copy a network's nodes and weights into a graph.

    The network starts with a cast from uint8, which takes float32 as well: what it is fed may
    lie between whole grey levels.

    Args:
        graph: gets the nodes.
        model: the network, see `load_network`; left as it is.
        name: goes before the names of its nodes and tensors.
        batch_nhwc: (N, h, w, channels) float32 in 0 to 255, what the network is fed.

    Returns:
        Its output as float32.
    """
    network = model.graph
    # '' stands for an optional input that is left out.
    known = {network.input[0].name: batch_nhwc, '': ''}

    def renamed(tensor: str) -> str:
        return known.get(tensor, f'{name}/{tensor}')

    for weights in network.initializer:
        copied = TensorProto()
        copied.CopyFrom(weights)
        copied.name = renamed(weights.name)
        graph.add_initializer(copied)
    for node in network.node:
        moved = NodeProto()
        moved.CopyFrom(node)
        moved.input[:] = [renamed(tensor) for tensor in node.input]
        moved.output[:] = [renamed(tensor) for tensor in node.output]
        # Nodes may come without names, or several with the same.
        moved.name = next(filter(None, moved.output))
        graph.add_node(moved)
    # Says nothing here, but whoever rewrites the graph to FP16 stops at it: what makes a mask of
    # the logits stays float32.
    return graph.node('Cast', renamed(network.output[0].name), to=TensorProto.FLOAT)


def _read(path: Path) -> ModelProto:
    try:
        return load(path)
    # Protobuf's errors share no base of their own below Exception across its versions.
    except Exception as err:
        reason = ' '.join(str(err).split())
        raise BundleError(f'{path} is no ONNX network ({reason})') from err


def _fits(value: ValueInfoProto, element: int, shape: tuple[int, ...]) -> bool:
    """Tell whether an input or output can have a shape; axes without a number take any."""
    tensor = value.type.tensor_type
    axes = tensor.shape.dim
    return (
        tensor.elem_type == element
        and len(axes) == len(shape)
        and all(
            not axis.HasField('dim_value') or axis.dim_value == length
            for axis, length in zip(axes, shape, strict=True)
        )
    )


def _holds_graphs(node: NodeProto) -> bool:
    kinds = {AttributeProto.GRAPH, AttributeProto.GRAPHS}
    return any(attribute.type in kinds for attribute in node.attribute)
