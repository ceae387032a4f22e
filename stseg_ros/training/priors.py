"""What coarse networks say of images that they were not trained on.

A refine network that sees the coarse logits of its own training images learns to copy them: there
the coarse network is nearly always right. These are as wrong as they will be on the road.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stseg_ros.bundle import Geometry
from stseg_ros.errors import DataError
from stseg_ros.logit_bytes import to_bytes
from stseg_ros.networks.image_network import ImageNetwork, network_logits
from stseg_ros.pipeline.preprocess import FrameSampler
from stseg_ros.records import UInt8Array
from stseg_ros.training.augment import vary_colours
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.recipe import Recipe
from stseg_ros.training.run_files import checkpoint_path, features_path, load_checkpoint


def draw_folds(images: Sequence[LabelledImage], folds: int, seed: int) -> list[int]:
    """Divide images into parts of about one size, without dividing a scene.

    Args:
        images: training images.
        folds: how many parts.
        seed: fixes the division.

    Returns:
        The part of each image.

    Raises:
        DataError: there are fewer scenes than parts.
    """
    sizes: dict[tuple[str, str], int] = {}
    for image in images:
        sizes[image.dataset, image.scene] = sizes.get((image.dataset, image.scene), 0) + 1
    names = sorted(sizes)
    if len(names) < folds:
        raise DataError(
            f'priors: {len(images)} training images are {len(names)} scene'
            f'{"s" if len(names) > 1 else ""}, too few for {folds} folds; train without '
            'geometry.prior, or on more streets'
        )
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of: dict[tuple[str, str], int] = {}
    filled = [0] * folds
    # The largest scenes first, each into the part that has least: a long drive fills one alone.
    for name in sorted((names[index] for index in order), key=lambda name: -sizes[name]):
        fold_of[name] = int(np.argmin(filled))
        filled[fold_of[name]] += sizes[name]
    return [fold_of[image.dataset, image.scene] for image in images]


def out_of_fold_priors(
    recipe: Recipe, images: Sequence[LabelledImage], run_dir: Path, seed: int
) -> list[UInt8Array]:
    """Ask of each image the network that was trained without its part.

    Args:
        recipe: geometry and how many variants.
        images: training images.
        run_dir: folder of the run, with the networks of all parts.
        seed: of the run; fixes parts and variants.

    Returns:
        For each image (V, P, h, w) uint8: the coarse logits, and the features if there are some;
        see `stseg_ros.logit_bytes`.

    Raises:
        StsegError: a network is missing.
    """
    models = [load_coarse(recipe, run_dir, stage) for stage in recipe.priors.stages]
    folds = draw_folds(images, recipe.priors.folds, seed)
    asked = tqdm(zip(images, folds, strict=True), total=len(images), desc='priors', unit='image')
    priors = []
    for place, (image, fold) in enumerate(asked):
        rng = np.random.default_rng((seed, place))
        views = [image.image_hwc] + [
            vary_colours(image.image_hwc, recipe.coarse.augment, rng)
            for _ in range(recipe.priors.variants - 1)
        ]
        planes = [coarse_planes(models[fold], view, recipe.geometry) for view in views]
        priors.append(np.stack(planes))
    return priors


def load_coarse(recipe: Recipe, run_dir: Path, stage: str = 'coarse') -> ImageNetwork:
    """Read the coarse network that stage 2 follows.

    Args:
        recipe: geometry, and which weights are exported.
        run_dir: folder of the run.
        stage: 'coarse', or a network that stands in for it.

    Returns:
        The network in evaluation mode, with features where the recipe has some.

    Raises:
        StsegError: it is missing.
    """
    path_of = features_path if recipe.geometry.prior_features else checkpoint_path
    return load_checkpoint(path_of(run_dir, stage, recipe.export))[0]


def coarse_planes(model: ImageNetwork, image_hwc: UInt8Array, geometry: Geometry) -> UInt8Array:
    """Run a coarse network on a frame.

    Args:
        model: in evaluation mode.
        image_hwc: (H, W, 3) uint8 RGB of any size.
        geometry: the sizes.

    Returns:
        (P, h, w) uint8 at the coarse resolution: the logits, and the features of a network that
        gives some; see `stseg_ros.logit_bytes`.
    """
    sampler = FrameSampler(working_hw=geometry.working_hw, coarse_factor=geometry.coarse_factor)
    planes = to_bytes(network_logits(model, sampler.coarse(image_hwc))[0])
    return planes.reshape(-1, *planes.shape[-2:])
