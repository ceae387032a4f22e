"""Features of the coarse network's decoder, for stage 2 to see (`geometry.prior_features`).

Stage 2 learns from coarse networks that were not trained on its images, see
`stseg_ros.training.priors`, and meets the real one on the road: in all of them a feature has to
mean the same. `stseg_ros.training.feature_alignment` finds such features in the finished networks,
so that none is trained differently for them. This follows Cruz et al., "Two-Stage Framework for
Faster Semantic Segmentation", Sensors 2023, whose second stage sees what the decoder of the first
one knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from stseg_ros.networks.architectures import build_network
from stseg_ros.networks.decoder_network import DecoderNetwork
from stseg_ros.networks.image_network import FEATURE_STD, ImageNetwork
from stseg_ros.pipeline.preprocess import FrameSampler
from stseg_ros.records import UInt8Array
from stseg_ros.training.feature_alignment import (
    JointMoments,
    Projection,
    align,
    check_channels,
)
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.priors import draw_folds
from stseg_ros.training.recipe import Recipe
from stseg_ros.training.run_files import (
    build_model,
    checkpoint_path,
    features_path,
    load_checkpoint,
    save_checkpoint,
)


def check_room(recipe: Recipe) -> None:
    """Check that the coarse network has channels enough, before any of it is trained.

    Args:
        recipe: geometry and the coarse network.

    Raises:
        ConfigError: it is too narrow for so many features.
    """
    # Neither memory nor random numbers.
    with torch.device('meta'):
        head = build_network(recipe.coarse.network).head
    check_channels(head.in_channels, head.out_channels, recipe.geometry.prior_features)


def add_features(
    recipe: Recipe, images: Sequence[LabelledImage], run_dir: Path, seed: int
) -> tuple[float, ...]:
    """Write the coarse networks of a run once more, with features.

    Args:
        recipe: geometry and stages.
        images: training images.
        run_dir: folder of the run, with the coarse network and those that stand in for it.
        seed: of the run.

    Returns:
        For each feature the share of its variance that the other networks tell, highest first.

    Raises:
        ConfigError: the coarse network is too narrow for so many.
        StsegError: a network is missing.
    """
    stages = ('coarse', *recipe.priors.stages)
    loaded = [load_checkpoint(checkpoint_path(run_dir, stage, recipe.export)) for stage in stages]
    main, *others = (model for model, _ in loaded)
    moments = _gather(main, others, recipe, images, draw_folds(images, len(others), seed))
    head_qc = _decoder(main).head.weight.detach()[:, :, 0, 0].numpy()
    found = align(head_qc, moments, recipe.geometry.prior_features, FEATURE_STD)
    for stage, (model, facts), projection in zip(
        stages, loaded, (found.main, *found.others), strict=True
    ):
        save_checkpoint(
            features_path(run_dir, stage, recipe.export),
            _projected(model, recipe, projection),
            recipe.coarse.network,
            **facts,
        )
    return found.shared


def _gather(
    main: ImageNetwork,
    others: Sequence[ImageNetwork],
    recipe: Recipe,
    images: Sequence[LabelledImage],
    folds: Sequence[int],
) -> list[JointMoments]:
    """Compare the main network with each other one, on images that both were trained on."""
    channels = _decoder(main).head.in_channels
    moments = [JointMoments(channels, channels) for _ in others]
    geometry = recipe.geometry
    sampler = FrameSampler(working_hw=geometry.working_hw, coarse_factor=geometry.coarse_factor)
    asked = zip(tqdm(images, desc='features', unit='image'), folds, strict=True)
    for image, without in asked:
        batch = sampler.coarse(image.image_hwc)
        main_cp = _decoded(main, batch)
        for fold, (moment, other) in enumerate(zip(moments, others, strict=True)):
            if fold != without:
                moment.add(main_cp, _decoded(other, batch))
    return moments


@torch.no_grad()
def _decoded(model: ImageNetwork, batch_nhwc: UInt8Array) -> npt.NDArray[np.float32]:
    """Return the decoder's last map of one image, (C, places)."""
    decoded = _decoder(model).decode(model.normalised(torch.from_numpy(batch_nhwc)))
    return np.asarray(decoded[0].flatten(1).numpy(), np.float32)


def _decoder(model: ImageNetwork) -> DecoderNetwork:
    network = model.network
    assert isinstance(network, DecoderNetwork)
    return network


def _projected(model: ImageNetwork, recipe: Recipe, projection: Projection) -> ImageNetwork:
    """Make the same network with features."""
    widened = build_model(
        recipe.coarse.network, inputs=model.inputs, features=len(projection.bias_f)
    )
    widened.load_state_dict(model.state_dict(), strict=False)
    project = _decoder(widened).project
    assert project is not None
    with torch.no_grad():
        project.weight.copy_(torch.from_numpy(projection.weight_fc)[:, :, None, None])
        project.bias.copy_(torch.from_numpy(projection.bias_f))  # type: ignore[union-attr]
    return widened.eval()
