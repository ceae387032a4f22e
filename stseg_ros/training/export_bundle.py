"""A training run to a bundle: both networks as ONNX, checked against PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stseg_ros.bundle import (
    SCHEMA,
    Geometry,
    Manifest,
    ModelBundle,
    NetworkFile,
    Networks,
    file_sha256,
    write_manifest,
)
from stseg_ros.config import SegmenterSettings
from stseg_ros.engines.backends import open_pair
from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.errors import StsegError
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.pipeline.preprocess import coarse_batch, region_batch, to_working_size
from stseg_ros.records import ChannelOrder, Float32Array, UInt8Array, sigmoid
from stseg_ros.training.export_onnx import as_stored, export_network
from stseg_ros.training.held_out import grid_boxes
from stseg_ros.training.recipe import STAGES, Recipe, load_recipe
from stseg_ros.training.run import RECIPE, read_facts
from stseg_ros.training.run_files import load_checkpoint

_METHOD = 'Teixeira e Silva et al., Two-stage Semantic Segmentation in Neural Networks, 2022'

PARITY_BACKENDS = ('onnxruntime', 'openvino')

# An engine must compute what PyTorch computes with the very weights that the file holds, both in
# float32: the largest difference of a pixel's probability.
ENGINE_BOUND = 0.001
# Rounding the weights to FP16 may turn over at most this share of the labels.
ROUNDING_BOUND = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkInputs:
    """Real images as the two networks see them.

    Attributes:
        coarse: list of (1, h, w, 3) uint8 RGB.
        refine: list of (K, h, w, 3) uint8 RGB.
    """

    coarse: list[UInt8Array]
    refine: list[UInt8Array]


def export_run(run_dir: Path, bundle_dir: Path, images_hwc: list[UInt8Array]) -> ModelBundle:
    """Write the bundle of a run, with default settings and no scores yet.

    Args:
        run_dir: folder that `stseg train` wrote.
        bundle_dir: folder to write; made if missing.
        images_hwc: (H, W, 3) uint8 RGB on which all engines must agree; at least one, real.

    Returns:
        The bundle, verified.

    Raises:
        StsegError: a checkpoint is missing, or an engine disagrees with PyTorch.
    """
    recipe = load_recipe(run_dir / RECIPE)
    geometry = recipe.geometry
    models, checkpoints = {}, {}
    for stage in STAGES:
        models[stage], checkpoints[stage] = load_checkpoint(run_dir / f'{stage}.pt')
    bundle_dir.mkdir(parents=True, exist_ok=True)
    coarse, refine = (bundle_dir / f'{stage}.onnx' for stage in STAGES)
    export_network(models['coarse'], coarse, geometry.coarse_hw, max_batch=1)
    export_network(models['refine'], refine, geometry.region_hw, max_batch=geometry.max_regions)
    parity = check_parity(models, (coarse, refine), network_inputs(images_hwc, geometry))
    manifest = Manifest(
        schema=SCHEMA,
        name=recipe.name,
        classes=('background', 'vehicle'),
        geometry=geometry,
        recommended=SegmenterSettings(regions=recipe.regions, fusion='add'),
        networks=Networks(
            coarse=NetworkFile(file=coarse.name, sha256=file_sha256(coarse)),
            refine=NetworkFile(file=refine.name, sha256=file_sha256(refine)),
        ),
        provenance=_provenance(recipe, run_dir, models, checkpoints) | {'parity': parity},
    )
    write_manifest(bundle_dir, manifest)
    return ModelBundle.read(bundle_dir)


def network_inputs(images_hwc: list[UInt8Array], geometry: Geometry) -> NetworkInputs:
    """Turn images into network inputs as the pipeline does.

    Args:
        images_hwc: (H, W, 3) uint8 RGB of any size.
        geometry: the bundle's sizes.

    Returns:
        One coarse input and one batch of all regions for each image.
    """
    working = [to_working_size(image_hwc, geometry.working_hw) for image_hwc in images_hwc]
    boxes_xyxy = grid_boxes(geometry)
    return NetworkInputs(
        coarse=[
            coarse_batch(image, ChannelOrder.RGB, geometry.coarse_factor) for image in working
        ],
        refine=[
            region_batch(image, ChannelOrder.RGB, boxes_xyxy)[: geometry.max_regions]
            for image in working
        ],
    )


def check_parity(
    models: dict[str, ImageNetwork], paths: tuple[Path, Path], inputs: NetworkInputs
) -> dict[str, dict[str, float]]:
    """Compare the engines with PyTorch, and the stored weights with the trained ones.

    Args:
        models: the trained networks by stage.
        paths: the ONNX files of coarse and refine.
        inputs: real images.

    Returns:
        By stage: the largest difference of a probability for each backend, and under
        'labels_changed_by_fp16' the share of pixels that FP16 weights label differently.

    Raises:
        StsegError: a figure is beyond `ENGINE_BOUND` or `ROUNDING_BOUND`.
        EngineError: a backend is not installed, or does not take the network.
    """
    batches = {'coarse': inputs.coarse, 'refine': inputs.refine}
    options = EngineOptions(precision='float32', max_batch=max(map(len, inputs.refine)))
    stored = {
        stage: [torch_logits(as_stored(models[stage]), batch) for batch in batches[stage]]
        for stage in STAGES
    }
    parity: dict[str, dict[str, float]] = {stage: {} for stage in STAGES}
    for backend in PARITY_BACKENDS:
        pair = open_pair(*paths, backend=backend, options=options)
        for stage, engine in zip(STAGES, (pair.coarse, pair.refine), strict=True):
            parity[stage][backend] = _engine_difference(engine, batches[stage], stored[stage])
        pair.close()
    for stage in STAGES:
        trained = [torch_logits(models[stage], batch) for batch in batches[stage]]
        parity[stage]['labels_changed_by_fp16'] = _labels_changed(trained, stored[stage])
    return parity


def _engine_difference(
    engine: InferenceEngine, batches: list[UInt8Array], expected: list[Float32Array]
) -> float:
    differences = [
        np.abs(sigmoid(engine.infer(batch)) - sigmoid(logits_nhw)).max()
        for batch, logits_nhw in zip(batches, expected, strict=True)
    ]
    worst = float(max(differences))
    if worst > ENGINE_BOUND:
        raise StsegError(
            f'{engine.backend} differs from PyTorch by {worst:.4f} in probability, beyond the '
            f'bound of {ENGINE_BOUND}; export with other versions of torch, onnxscript or '
            f'{engine.backend}'
        )
    return round(worst, 7)


def _labels_changed(trained: list[Float32Array], stored: list[Float32Array]) -> float:
    changed = [
        ((before > 0) != (after > 0)).mean() for before, after in zip(trained, stored, strict=True)
    ]
    share = float(np.mean(changed))
    if share > ROUNDING_BOUND:
        raise StsegError(
            f'rounding the weights to FP16 changes {share:.2%} of the labels, beyond the bound of '
            f'{ROUNDING_BOUND:.2%}; train with more weight decay or a lower learning rate'
        )
    return round(share, 7)


@torch.no_grad()
def torch_logits(model: ImageNetwork, batch_nhwc: UInt8Array) -> Float32Array:
    """Run a network in PyTorch, in float32.

    Args:
        model: the network, in evaluation mode.
        batch_nhwc: (N, h, w, 3) uint8 RGB.

    Returns:
        (N, h, w) float32 logits.
    """
    return np.asarray(model(torch.from_numpy(batch_nhwc)).numpy(), np.float32)


def _provenance(
    recipe: Recipe,
    run_dir: Path,
    models: dict[str, ImageNetwork],
    checkpoints: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    facts = read_facts(run_dir)
    networks = {}
    for stage in STAGES:
        network = recipe.stage(stage).network
        networks[stage] = {
            'architecture': 'paper_unet',
            'width': network.width,
            'norm': network.norm,
            'parameters': sum(weight.numel() for weight in models[stage].parameters()),
            'loss': recipe.stage(stage).loss,
            'batch': recipe.stage(stage).batch,
            'held_out_dice_alone': round(checkpoints[stage]['dev_dice'], 4),
            **{key: value for key, value in facts[stage].items() if key != 'images'},
        }
    return {
        'method': _METHOD,
        'sources': [
            {
                'dataset': source.dataset,
                'images': facts['refine']['images'][source.dataset],
                'weight': source.weight,
            }
            for source in recipe.sources
        ],
        'networks': networks,
    }
