"""A trained network to an ONNX file, in one of three precisions."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.layers import without_norms

OPSET = 18
INPUT, OUTPUT = 'image', 'logits'

HALF_WEIGHTS, FLOAT32, FLOAT16 = 'half_weights', 'float32', 'float16'
PRECISIONS = (HALF_WEIGHTS, FLOAT32, FLOAT16)

# Smaller tensors (biases, normalisation) stay float32: halving them saves nothing.
_SMALLEST_HALVED = 512


def export_network(
    model: ImageNetwork,
    path: Path,
    input_hw: tuple[int, int],
    *,
    max_batch: int,
    precision: str = HALF_WEIGHTS,
) -> None:
    """Write a network as ONNX: uint8 NHWC in, float32 NHW logits out.

    Args:
        model: the trained network; see `as_stored` for what is written of it.
        path: the file to write.
        input_hw: the input's height and width, fixed in the graph.
        max_batch: 1 fixes the batch size to 1, more leaves it free.
        precision: 'half_weights' stores the weights as FP16 and casts them to float32 in the
            graph, which engines do once when they open it; 'float32' stores and computes in
            float32; 'float16' is strongly typed, every weight and every activation from the first
            convolution on is FP16, for engines that take their arithmetic from the graph, as
            TensorRT from 10.12 on.
    """
    example = torch.zeros((1 if max_batch == 1 else 2, *input_hw, model.inputs), dtype=torch.uint8)
    free_batch = {0: torch.export.Dim('batch', min=1, max=max(2, max_batch))}
    with _quiet_exporter():
        program = torch.onnx.export(
            as_stored(model, precision),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=None if max_batch == 1 else (free_batch,),
            opset_version=OPSET,
        )
    assert program is not None
    graph = strip_metadata(program.model_proto)
    if precision == HALF_WEIGHTS:
        halve_weights(graph)
    onnx.checker.check_model(graph, full_check=True)
    path.write_bytes(graph.SerializeToString())


def as_stored(model: ImageNetwork, precision: str = HALF_WEIGHTS) -> ImageNetwork:
    """Make the network that the file holds.

    Args:
        model: the trained network; left as it is.
        precision: one of `PRECISIONS`.

    Returns:
        A copy with batch normalisation merged into the convolutions; for 'half_weights' with the
        weights that are stored as FP16 rounded to it, for 'float16' computing in FP16.
    """
    assert precision in PRECISIONS
    plain = without_norms(model)
    if precision == FLOAT16:
        plain.network = _InHalf(plain.network)
    if precision == HALF_WEIGHTS:
        for weight in plain.parameters():
            if weight.numel() >= _SMALLEST_HALVED:
                weight.data = weight.data.half().float()
    return plain


class _InHalf(nn.Module):
    """Runs a network in FP16 on images that were normalised in float32.

    Mean and spread rounded to FP16 would shift every pixel the same way, which costs more than
    all other rounding together.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(image_nchw.half())
        return logits


def halve_weights(model: onnx.ModelProto) -> None:
    """Store large float32 weights as FP16, each followed by a cast to float32, in place.

    Args:
        model: changed; activations and arithmetic stay float32.
    """
    for initializer in list(model.graph.initializer):
        values = numpy_helper.to_array(initializer)
        if initializer.data_type != TensorProto.FLOAT or values.size < _SMALLEST_HALVED:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f'{name}.fp16'))
        cast = helper.make_node(
            'Cast', [f'{name}.fp16'], [name], f'{name}.cast', to=TensorProto.FLOAT
        )
        model.graph.node.insert(0, cast)


def strip_metadata(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the exporter's notes, which hold file paths and source lines of this machine.

    Args:
        model: left as it is.

    Returns:
        A copy that holds only what an engine needs.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    graph = copy.graph
    del graph.metadata_props[:]
    # Intermediate shapes are inferred again by whoever reads the file.
    del graph.value_info[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ''
    return copy


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the exporter's notes on libraries that are not installed and not needed."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)
