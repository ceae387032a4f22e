"""Writing an ONNX graph node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper


class GraphWriter:
    """Collects nodes; names those it makes after what they do."""

    def __init__(self) -> None:
        """Start an empty graph."""
        self._graph = GraphProto()

    def input(self, name: str, element: int, shape: tuple[int, ...]) -> str:
        """Add an input of the graph.

        Args:
            name: its name.
            element: its ONNX element type, such as `TensorProto.UINT8`.
            shape: its axes.

        Returns:
            Its name.
        """
        self._graph.input.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def output(self, name: str, source: str, element: int, shape: tuple[int, ...]) -> None:
        """Make a tensor an output of the graph.

        TensorRT knows uint8 only at a graph's borders, so the cast is the last node.

        Args:
            name: the output's name.
            source: the tensor; float32, or int64 for an int32 output.
            element: ONNX element type that it is cast to.
            shape: axes that it is reshaped to.
        """
        shaped = self.reshape(source, shape)
        self._add('Cast', [shaped], name, {'to': element})
        self._graph.output.append(helper.make_tensor_value_info(name, element, shape))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output.

        Args:
            operator: the ONNX operator.
            inputs: names of its inputs; '' leaves an optional one out.
            attributes: its attributes.

        Returns:
            The name of its output.
        """
        return self._add(operator, list(inputs), self._new_name(operator), attributes)

    def nodes(self, operator: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs; see `node`.

        Args:
            operator: the ONNX operator.
            outputs: how many outputs it has.
            inputs: names of its inputs.
            attributes: its attributes.

        Returns:
            The names of its outputs.
        """
        name = self._new_name(operator)
        names = [f'{name}.{index}' for index in range(outputs)]
        self._graph.node.append(helper.make_node(operator, inputs, names, name, **attributes))
        return names

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Add a constant.

        Args:
            values: its values.
            dtype: its element type.

        Returns:
            Its name.
        """
        name = f'constant_{len(self._graph.initializer)}'
        self.add_initializer(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def reshape(self, source: str, shape: tuple[int, ...]) -> str:
        """Reshape a tensor.

        Args:
            source: the tensor.
            shape: its new axes, each given.

        Returns:
            The name of the reshaped tensor.
        """
        return self.node('Reshape', source, self.constant(shape, np.int64))

    def add_node(self, node: NodeProto) -> None:
        """Add a finished node of another graph, whose names fit this one.

        Args:
            node: the node.
        """
        self._graph.node.append(node)

    def add_initializer(self, tensor: TensorProto) -> None:
        """Add a finished constant of another graph, whose name fits this one.

        Args:
            tensor: the constant.
        """
        self._graph.initializer.append(tensor)

    def model(self, name: str, *, opset: int, ir_version: int) -> ModelProto:
        """Finish.

        Args:
            name: the graph's name.
            opset: version of the operators.
            ir_version: version of the file format.

        Returns:
            The model, not yet checked.
        """
        self._graph.name = name
        operators = helper.make_opsetid('', opset)
        return helper.make_model(self._graph, opset_imports=[operators], ir_version=ir_version)

    def _new_name(self, operator: str) -> str:
        return f'{operator.lower()}_{len(self._graph.node)}'

    def _add(
        self, operator: str, inputs: list[str], output: str, attributes: dict[str, Any]
    ) -> str:
        node = helper.make_node(operator, inputs, [output], output, **attributes)
        self._graph.node.append(node)
        return output
