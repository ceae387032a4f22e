"""Rewrites the arithmetic of an ONNX graph to FP16, where that costs no accuracy that matters.

Strongly typed builders, the only kind that TensorRT-RTX and TensorRT from 11 on offer, compute in
the types that the graph states. A bundle's graph states float32, so that every other engine takes
it, and stores its weights as FP16. Here the convolutions and matrix products become FP16, and so
does everything between and after them that only hands their results on. What comes before the
first of them, the normalisation, stays float32: a mean rounded to FP16 would shift every pixel the
same way. Outputs keep their types. An explicit Cast to float32 in the graph holds: what follows it
stays float32 up to the next convolution.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stseg_ros.errors import EngineError

# Where the multiplications are.
_HEAVY = {'Conv', 'ConvTranspose', 'Gemm', 'MatMul'}

# Computed in the type of what they are given.
_HANDING_ON = {
    'Add', 'AveragePool', 'BatchNormalization', 'Clip', 'Concat', 'DepthToSpace', 'Elu', 'Flatten',
    'GlobalAveragePool', 'HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu', 'MaxPool', 'Mul',
    'PRelu', 'Pad', 'ReduceMean', 'Relu', 'Reshape', 'Resize', 'Sigmoid', 'Slice', 'Softmax',
    'Split', 'Squeeze', 'Sub', 'Tanh', 'Transpose', 'Unsqueeze', 'Upsample',
}  # fmt: skip

# These take an input of either type as it is.
_TYPELESS = {'Cast', 'Shape', 'Size'}

# Inputs that are float32 in any case: Resize's region and scales.
_ALWAYS_FLOAT32 = {'Resize': {1, 2}, 'Upsample': {1}}

_LARGEST_HALF = float(np.finfo(np.float16).max)


def to_half(model: onnx.ModelProto) -> None:
    """Rewrite a graph's float32 arithmetic to FP16, in place.

    Args:
        model: its constants are initializers, see `network_steps.fold_constants`; its nodes are
            in topological order, as ONNX asks.

    Raises:
        EngineError: a weight is too large for FP16, or the graph has branches or loops.
    """
    _Halving(model).run()


class _Halving:
    """One pass over a graph.

    Attributes:
        nodes: the nodes of the new graph.
        half: float32 tensors of the old graph that are FP16 in the new one, under the same name.
        casted: copies that were made of a tensor in another type, by name and type.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph: Any = model.graph
        self.types = _element_types(model)
        self.weights = {weight.name: weight for weight in self.graph.initializer}
        self.nodes: list[Any] = []
        self.half: set[str] = set()
        self.casted: dict[tuple[str, int], str] = {}

    def run(self) -> None:
        """Go through the nodes, then bring the outputs back to their types."""
        for node in self.graph.node:
            if any(attribute.HasField('g') for attribute in node.attribute):
                raise EngineError(
                    f'node {node.name!r} is a branch or a loop ({node.op_type}), which cannot be '
                    'rewritten to FP16; build it with --precision fp32'
                )
            if self._becomes_half(node):
                self._take_inputs(node, TensorProto.FLOAT16)
                self.half.update(name for name in node.output if self._is_float32(name))
            elif node.op_type not in _TYPELESS:
                self._take_inputs(node, TensorProto.FLOAT)
            self.nodes.append(node)
        self._restore_outputs()
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        # Their types are no longer true, and whoever reads the graph infers them again.
        del self.graph.value_info[:]

    def _is_float32(self, name: str) -> bool:
        return self.types.get(name) == TensorProto.FLOAT

    def _becomes_half(self, node: Any) -> bool:
        data = [
            name
            for index, name in enumerate(node.input)
            if self._is_float32(name) and index not in _ALWAYS_FLOAT32.get(node.op_type, ())
        ]
        if node.op_type in _HEAVY:
            return bool(data)
        computed = [name for name in data if name not in self.weights]
        return (
            node.op_type in _HANDING_ON
            and bool(computed)
            and all(name in self.half for name in computed)
        )

    def _take_inputs(self, node: Any, wanted: int) -> None:
        """Let a node read its floating-point inputs in the type wanted."""
        kept = _ALWAYS_FLOAT32.get(node.op_type, ())
        for index, name in enumerate(node.input):
            if not self._is_float32(name):
                continue
            target = TensorProto.FLOAT if index in kept else wanted
            present = TensorProto.FLOAT16 if name in self.half else TensorProto.FLOAT
            if present != target:
                node.input[index] = self._in_type(name, target)

    def _in_type(self, name: str, wanted: int) -> str:
        """Return the name of a copy of a tensor in another type, made at first need."""
        copy = self.casted.get((name, wanted))
        if copy is None:
            suffix = 'half' if wanted == TensorProto.FLOAT16 else 'float'
            copy = self.casted[name, wanted] = f'{name}.{suffix}'
            assert copy not in self.types, f'{copy} is taken'
            if name in self.weights:
                self.graph.initializer.append(_half_weight(self.weights[name], copy))
            else:
                self.nodes.append(helper.make_node('Cast', [name], [copy], copy, to=wanted))
        return copy

    def _restore_outputs(self) -> None:
        """Give the graph's outputs the names and types that they had."""
        for output in self.graph.output:
            if output.name not in self.half:
                continue
            inside = f'{output.name}.half'
            assert inside not in self.types, f'{inside} is taken'
            for node in self.nodes:
                for names in (node.input, node.output):
                    for index, name in enumerate(names):
                        if name == output.name:
                            names[index] = inside
            self.nodes.append(
                helper.make_node('Cast', [inside], [output.name], to=TensorProto.FLOAT)
            )


def _half_weight(weight: Any, name: str) -> Any:
    values = numpy_helper.to_array(weight)
    largest = float(np.abs(values).max(initial=0.0))
    # Not a number fails the comparison too.
    if not largest <= _LARGEST_HALF:
        raise EngineError(
            f'weight {weight.name!r} reaches {largest:.3g}, FP16 ends at {_LARGEST_HALF:.0f}; '
            'build it with --precision fp32'
        )
    return numpy_helper.from_array(values.astype(np.float16), name)


def _element_types(model: onnx.ModelProto) -> dict[str, int]:
    """List the element type of every tensor."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {weight.name: weight.data_type for weight in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return types
