"""A network rebuilt from the ONNX file that was exported of it, with the very same weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from stseg_ros.errors import BundleError
from stseg_ros.networks.architectures import NetworkConfig, build_network
from stseg_ros.networks.image_network import ImageNetwork

# What `half_weights` exports add to the name of a weight that they store as FP16.
_HALF = '.fp16'
_NORMALISATION = ('mean', 'std')


def load_stored(path: Path, config: NetworkConfig) -> ImageNetwork:
    """Rebuild a network from its file.

    Exports have batch normalisation merged into the convolutions, so that the network is built
    without; weights that are stored as FP16 become the float32 numbers that the graph casts them
    to.

    Args:
        path: ONNX file that `stseg export` wrote, of precision 'half_weights' or 'float32'.
        config: the architecture and width that it was trained with.

    Returns:
        The network in evaluation mode, float32 on the CPU, without a prior.

    Raises:
        BundleError: the file holds other weights than such a network has, in name or shape, or
            normalises images in another way.
    """
    model = ImageNetwork(build_network(dataclasses.replace(config, norm='none'))).eval()
    stored = _read_weights(path)
    for name in _NORMALISATION:
        own, found = getattr(model, name), stored.pop(name, None)
        if found is None or not torch.equal(found, own):
            raise BundleError(f'{path.name} normalises images by another {name} than this version')
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    shapes = {name: tuple(weight.shape) for name, weight in stored.items()}
    differing = sorted(
        name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name)
    )
    if differing:
        name = differing[0]
        raise BundleError(
            f'{path.name} holds {name} of shape {shapes.get(name)}, where a {config.architecture} '
            f'of width {config.width} has {expected.get(name)}'
        )
    model.load_state_dict(stored, strict=True)
    return model


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read all real numbers of a graph as float32, by the name that PyTorch had for them."""
    weights: dict[str, torch.Tensor] = {}
    for initializer in onnx.load(path).graph.initializer:
        values = numpy_helper.to_array(initializer)
        # Whole numbers are sizes and axes.
        if not np.issubdtype(values.dtype, np.floating):
            continue
        name = initializer.name.removesuffix(_HALF)
        if name in weights:
            raise BundleError(f'{path.name} holds {name} twice')
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights
