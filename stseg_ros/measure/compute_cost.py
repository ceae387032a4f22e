"""What a network costs, counted from its ONNX graph by shape inference.

Two conventions, both for one image and for convolutions and matrix products only:

- `macs`: multiply-accumulates that have to be done. A transposed convolution is counted on its
  input positions, for each of them meets every weight once.
- `paper_flops`: F x F x Cin x Hout x Wout x Cout for each convolution, as in Teixeira e Silva et
  al., 2022, who take a transposed convolution for an ordinary one; at stride 2 that is four times
  its work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stseg_ros.bundle import ModelBundle
from stseg_ros.errors import BundleError, StsegError

_PRODUCTS = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCost:
    """Cost of one image.

    Attributes:
        macs: multiply-accumulates.
        paper_flops: the paper's count.
        parameters: weights and biases of the counted layers, normalisation merged into them.
    """

    macs: float
    paper_flops: float
    parameters: int

    def __add__(self, other: NetworkCost) -> NetworkCost:
        """Add two networks that both run."""
        return NetworkCost(
            macs=self.macs + other.macs,
            paper_flops=self.paper_flops + other.paper_flops,
            parameters=self.parameters + other.parameters,
        )

    def times(self, runs: float) -> NetworkCost:
        """Run the same network several times; its parameters stay.

        Args:
            runs: how often, or the mean of it over many images.

        Returns:
            The cost of all runs.
        """
        return NetworkCost(
            macs=self.macs * runs, paper_flops=self.paper_flops * runs, parameters=self.parameters
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCost:
    """Costs of a bundle's networks.

    Attributes:
        coarse: stage 1 on the whole frame.
        refine: stage 2 on one region.
        whole: the whole-frame baseline; None where the bundle has none.
    """

    coarse: NetworkCost
    refine: NetworkCost
    whole: NetworkCost | None

    def of(self, mode: str, regions: float) -> NetworkCost:
        """Compute what one frame costs.

        Args:
            mode: 'whole', 'coarse' or 'two_stage'.
            regions: regions refined per frame, the mean over the frames; for 'two_stage'.

        Returns:
            The cost of all networks that run.
        """
        if mode == 'whole':
            assert self.whole is not None
            return self.whole
        return self.coarse if mode == 'coarse' else self.coarse + self.refine.times(regions)


def require_onnx() -> None:
    """Check that graphs can be read.

    Raises:
        StsegError: the onnx package is missing; the message has the command that installs it.
    """
    if find_spec('onnx') is None:
        raise StsegError(
            'counting multiply-accumulates needs onnx; install it beside stseg_ros, '
            'with `.venv/bin/pip install onnx` after `make setup`'
        )


def bundle_cost(bundle: ModelBundle) -> BundleCost:
    """Count the cost of a bundle's networks.

    Args:
        bundle: the verified bundle.

    Returns:
        The cost of each.

    Raises:
        StsegError: the onnx package is missing.
        BundleError: the shapes in a graph cannot be inferred.
    """
    return BundleCost(
        coarse=network_cost(bundle.coarse_path),
        refine=network_cost(bundle.refine_path),
        whole=None if bundle.whole_path is None else network_cost(bundle.whole_path),
    )


def network_cost(path: Path) -> NetworkCost:
    """Count the cost of a network on one image.

    Args:
        path: ONNX file; a batch axis without a length is taken as 1.

    Returns:
        Its cost.

    Raises:
        StsegError: the onnx package is missing.
        BundleError: the shapes in the graph cannot be inferred.
    """
    require_onnx()
    import onnx

    try:
        model = onnx.load(path)
        batch = model.graph.input[0].type.tensor_type.shape.dim[0]
        batch.dim_value = batch.dim_value or 1
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, IndexError) as err:
        reason = ' '.join(str(err).split())
        raise BundleError(f'{path}: its operations cannot be counted: {reason}') from err
    shapes = _shapes(inferred.graph)
    counted = [node for node in inferred.graph.node if node.op_type in _PRODUCTS]
    try:
        macs = sum(_macs(node, shapes) for node in counted)
        paper = sum(_paper_flops(node, shapes) for node in counted)
    except (KeyError, TypeError) as err:
        raise BundleError(
            f'{path}: the shape of tensor {err} is not known from the graph; '
            'export the network with fixed sizes'
        ) from err
    return NetworkCost(macs=macs, paper_flops=paper, parameters=_parameters(inferred.graph))


def _shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """List the shapes that are known in full, by tensor name."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        axes = value.type.tensor_type.shape.dim
        if all(axis.HasField('dim_value') for axis in axes):
            shapes.setdefault(value.name, tuple(axis.dim_value for axis in axes))
    return shapes


def _macs(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """Count one node's multiply-accumulates."""
    data, weights = shapes[node.input[0]], shapes[node.input[1]]
    if node.op_type == 'Conv':
        # Weights are (Cout, Cin / groups, F, F): each output value takes Cin / groups x F x F.
        return math.prod(shapes[node.output[0]]) * math.prod(weights[1:])
    if node.op_type == 'ConvTranspose':
        # Weights are (Cin, Cout / groups, F, F): each input value goes into Cout / groups x F x F.
        return math.prod(data) * math.prod(weights[1:])
    transposed = any(item.name == 'transA' and item.i for item in node.attribute)
    return math.prod(shapes[node.output[0]]) * (data[0] if transposed else data[-1])


def _paper_flops(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """Count one node as the paper does; what it does not speak of as in `_macs`."""
    if node.op_type != 'ConvTranspose':
        return _macs(node, shapes)
    groups = next((item.i for item in node.attribute if item.name == 'group'), 1)
    weights = shapes[node.input[1]]
    return math.prod(shapes[node.output[0]]) * (weights[0] // groups) * math.prod(weights[2:])


def _parameters(graph: Any) -> int:
    """Count weights and biases, which may reach their layer through casts."""
    made_by = {output: node for node in graph.node for output in node.output}
    size = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    names = set()
    for node in graph.node:
        if node.op_type in _PRODUCTS:
            for name in node.input:
                source = name
                while source not in size and source in made_by:
                    maker = made_by[source]
                    if maker.op_type not in ('Cast', 'Identity', 'Transpose'):
                        break
                    source = maker.input[0]
                names.add(source)
    return sum(size.get(name, 0) for name in names)
