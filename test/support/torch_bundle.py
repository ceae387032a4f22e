"""A bundle of small networks that PyTorch can rebuild, whose answers are far from even."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from stseg_ros.bundle import (
    Geometry,
    Manifest,
    ModelBundle,
    NetworkFile,
    Networks,
    file_sha256,
    write_manifest,
)
from stseg_ros.config import RecommendedSettings
from stseg_ros.networks.architectures import NetworkConfig, build_network
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.records import UInt8Array
from stseg_ros.training.export_onnx import export_network

WIDTH = 8
GEOMETRY = Geometry(working_hw=(128, 256), coarse_factor=8, grid=(2, 4), max_regions=8)
# Of logits on `blocky_image`: wide, and within what bytes hold.
LARGEST_LOGIT = 6.0


def blocky_image() -> UInt8Array:
    """Draw (128, 256, 3) uint8 noise in blocks of 8 x 8, each one coarse pixel, however shrunk."""
    colours = np.random.default_rng(3).integers(0, 256, (16, 32, 3), dtype=np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)


def spread_network(architecture: str, seed: int, image_hwc: UInt8Array) -> ImageNetwork:
    """Build a network with batch normalisation that has seen data, in evaluation mode.

    On the image its logits have a median of 0 and reach `LARGEST_LOGIT`.
    """
    torch.manual_seed(seed)
    network = build_network(NetworkConfig(architecture=architecture, width=WIDTH, norm='batch'))
    model = ImageNetwork(network).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
    with torch.no_grad():
        logits = model(torch.from_numpy(image_hwc)[None])
        centre = logits.median()
        gain = LARGEST_LOGIT / (logits - centre).abs().max()
        network.head.bias.sub_(centre)
        network.head.bias.mul_(gain)
        network.head.weight.mul_(gain)
    return model


def write_torch_bundle(root: Path, architecture: str = 'paper_unet') -> ModelBundle:
    """Write a bundle with what `stseg export` says of its networks."""
    root.mkdir(parents=True)
    image = blocky_image()
    coarse = spread_network(architecture, 1, np.ascontiguousarray(image[::8, ::8]))
    refine = spread_network(architecture, 2, image[: GEOMETRY.region_hw[0]])
    export_network(coarse, root / 'coarse.onnx', GEOMETRY.coarse_hw, max_batch=1)
    export_network(refine, root / 'refine.onnx', GEOMETRY.region_hw, max_batch=8)
    stated = {'architecture': architecture, 'width': WIDTH, 'norm': 'batch'}
    files = {
        stage: NetworkFile(file=f'{stage}.onnx', sha256=file_sha256(root / f'{stage}.onnx'))
        for stage in ('coarse', 'refine')
    }
    manifest = Manifest(
        schema=1,
        name='small',
        classes=('background', 'vehicle'),
        geometry=GEOMETRY,
        recommended=RecommendedSettings(regions=2),
        networks=Networks(**files),
        provenance={'networks': {'coarse': stated, 'refine': dict(stated)}},
    )
    write_manifest(root, manifest)
    return ModelBundle.read(root)
