"""A trained network to an ONNX file with half-precision weights."""

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

from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.networks.paper_unet import PaperUNet

OPSET = 18
INPUT, OUTPUT = 'image', 'logits'

# Smaller tensors (biases, normalisation) stay float32: halving them saves nothing.
_SMALLEST_HALVED = 512


def export_network(
    model: ImageNetwork, path: Path, input_hw: tuple[int, int], *, max_batch: int
) -> None:
    """Write a network as ONNX: uint8 NHWC RGB in, float32 NHW logits out.

    Weights are stored as FP16 and cast to float32 in the graph, which engines do once when they
    open it.

    Args:
        model: the trained network; see `as_stored` for what is written of it.
        path: the file to write.
        input_hw: the input's height and width, fixed in the graph.
        max_batch: 1 fixes the batch size to 1, more leaves it free.
    """
    plain = as_stored(model)
    example = torch.zeros((1 if max_batch == 1 else 2, *input_hw, 3), dtype=torch.uint8)
    free_batch = {0: torch.export.Dim('batch', min=1, max=max(2, max_batch))}
    with _quiet_exporter():
        program = torch.onnx.export(
            plain,
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
    halve_weights(graph)
    onnx.checker.check_model(graph, full_check=True)
    path.write_bytes(graph.SerializeToString())


def as_stored(model: ImageNetwork) -> ImageNetwork:
    """Make the network that the file holds.

    Args:
        model: the trained network; left as it is.

    Returns:
        A copy with batch normalisation merged into the convolutions, and with the weights that are
        stored as FP16 rounded to it.
    """
    assert isinstance(model.network, PaperUNet)
    plain = ImageNetwork(model.network.folded()).eval()
    for weight in plain.parameters():
        if weight.numel() >= _SMALLEST_HALVED:
            weight.data = weight.data.half().float()
    return plain


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
