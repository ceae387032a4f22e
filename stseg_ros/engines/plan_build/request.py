"""What is asked of a builder of plans, and what is asked for the networks of a bundle."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from stseg_ros.bundle import ModelBundle
from stseg_ros.engines.engine_protocol import BYTES, FLOAT32
from stseg_ros.engines.onnx_source import NamedModel, OnnxSource
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder

FP16, FP32 = 'fp16', 'fp32'
PRECISIONS = (FP16, FP32)
DEFAULT_WORKSPACE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProfile:
    """The shapes that one input may have.

    Attributes:
        name: the input's name in the ONNX graph.
        minimum: the smallest shape.
        usual: the shape to be fast at.
        maximum: the largest shape.
    """

    name: str
    minimum: tuple[int, ...]
    usual: tuple[int, ...]
    maximum: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that the shapes are in order."""
        axes = zip(self.minimum, self.usual, self.maximum, strict=True)
        assert all(1 <= low <= usual <= high for low, usual, high in axes), self

    def text(self) -> str:
        """Write the profile as 'image:1x64x64x3/8x64x64x3/32x64x64x3'."""
        shapes = (self.minimum, self.usual, self.maximum)
        return f'{self.name}:' + '/'.join('x'.join(map(str, shape)) for shape in shapes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build.

    Attributes:
        network: the network.
        profiles: shapes of the inputs that have a free axis; none where all are fixed.
        precision: 'fp16', see `network_rewrite.half_graph`, or 'fp32'.
        order: channel order of the images that will come, see `network_rewrite`.
        logits: 'float32' leaves the outputs as they are, 'bytes' as in `logit_bytes`.
        compute_capability: the GPU's to build for, such as '8.9'; None takes that of this
            machine's GPU. Only TensorRT-RTX can build for another.
        workspace_bytes: most device memory for scratch.
        timing_cache: file that keeps the times of kernels between builds; None keeps none.
            TensorRT-RTX times nothing and leaves the file alone.
    """

    network: OnnxSource
    profiles: tuple[InputProfile, ...] = ()
    precision: str = FP16
    order: ChannelOrder = ChannelOrder.RGB
    logits: str = FLOAT32
    compute_capability: str | None = None
    workspace_bytes: int = DEFAULT_WORKSPACE_BYTES
    timing_cache: Path | None = None


def network_request(
    onnx_path: Path,
    *,
    max_batch: int = 1,
    usual_batch: int = 0,
    precision: str = FP16,
    order: ChannelOrder = ChannelOrder.RGB,
    logits: str = BYTES,
    compute_capability: str | None = None,
) -> BuildRequest:
    """Make the request for one network of a bundle, whose first axis is the batch.

    Args:
        onnx_path: the network; its input may have a free batch axis.
        max_batch: the largest batch, for a free axis.
        usual_batch: the batch to be fast at, for a free axis; 0 takes the largest.
        precision: see `BuildRequest`.
        order: see `BuildRequest`.
        logits: see `BuildRequest`.
        compute_capability: see `BuildRequest`.

    Returns:
        The request: with a profile of 1, `usual_batch` and `max_batch` where the axis is free.

    Raises:
        EngineError: the file is no ONNX network, its input is not one of images, or onnx is not
            installed.
    """
    name, (batch, *fixed) = _image_input(onnx_path)
    image = tuple(length for length in fixed if length is not None)
    profiles: tuple[InputProfile, ...] = ()
    if batch is None:
        usual = min(usual_batch or max_batch, max_batch)
        smallest, tuned, largest = ((count, *image) for count in (1, usual, max_batch))
        profiles = (InputProfile(name=name, minimum=smallest, usual=tuned, maximum=largest),)
    return BuildRequest(
        network=onnx_path,
        profiles=profiles,
        precision=precision,
        order=order,
        logits=logits,
        compute_capability=compute_capability,
    )


def graph_request(
    model: NamedModel, *, precision: str = FP16, compute_capability: str | None = None
) -> BuildRequest:
    """Make the request for the graph of a whole frame, whose shapes are all fixed.

    Args:
        model: the graph, see `stseg_ros.frame_graph`.
        precision: see `BuildRequest`.
        compute_capability: see `BuildRequest`.

    Returns:
        The request.
    """
    return BuildRequest(network=model, precision=precision, compute_capability=compute_capability)


def network_requests(
    bundle: ModelBundle,
    *,
    precision: str = FP16,
    order: ChannelOrder = ChannelOrder.RGB,
    logits: str = BYTES,
    compute_capability: str | None = None,
) -> dict[str, BuildRequest]:
    """Make the requests for the networks of a bundle.

    Args:
        bundle: the bundle; the refine network's batch is tuned to its recommended regions.
        precision: see `BuildRequest`.
        order: see `BuildRequest`.
        logits: see `BuildRequest`.
        compute_capability: see `BuildRequest`.

    Returns:
        By stage: 'coarse', 'refine', and 'whole' where the bundle has that baseline.

    Raises:
        EngineError: see `network_request`.
    """
    paths = {
        'coarse': bundle.coarse_path,
        'refine': bundle.refine_path,
        'whole': bundle.whole_path,
    }
    return {
        stage: network_request(
            path,
            max_batch=bundle.geometry.max_regions,
            usual_batch=bundle.manifest.recommended.regions,
            precision=precision,
            order=order,
            logits=logits,
            compute_capability=compute_capability,
        )
        for stage, path in paths.items()
        if path is not None
    }


def network_steps() -> ModuleType:
    """Import the module that reads and rewrites networks, which needs onnx.

    Returns:
        `stseg_ros.engines.network_rewrite.network_steps`.

    Raises:
        EngineError: onnx is not installed.
    """
    try:
        return importlib.import_module('stseg_ros.engines.network_rewrite.network_steps')
    except ImportError as err:
        raise EngineError(f'onnx is not installed ({err}); pip install onnx') from err


def _image_input(onnx_path: Path) -> tuple[str, list[int | None]]:
    """Read name and shape of a network's one input; only its batch may be free, which is None."""
    inputs = network_steps().load_network(onnx_path).graph.input
    lengths = [
        [axis.dim_value or None for axis in value.type.tensor_type.shape.dim] for value in inputs
    ]
    if len(inputs) != 1 or len(lengths[0]) != 4 or None in lengths[0][1:]:
        raise EngineError(
            f'{onnx_path}: one input of images, Nxheightxwidthxchannels, is expected; it has '
            + ', '.join(
                f'{value.name} {"x".join(str(length or "N") for length in shape)}'
                for value, shape in zip(inputs, lengths, strict=True)
            )
        )
    return inputs[0].name, lengths[0]
