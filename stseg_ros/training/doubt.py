"""Where a coarse network is in doubt about its training images.

Stage 2 sees what stage 1 is least sure of, which is not what a crop placed at random shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stseg_ros.logit_bytes import probability
from stseg_ros.records import Int32Array, UInt8Array
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.priors import coarse_planes
from stseg_ros.training.recipe import Recipe
from stseg_ros.training.run_files import checkpoint_path, load_checkpoint

_PLACES = 256


def doubtful_places(
    recipe: Recipe, images: Sequence[LabelledImage], run_dir: Path, seed: int
) -> list[Int32Array]:
    """Ask the coarse network of a run about each image, and draw places by its doubt.

    Args:
        recipe: geometry.
        images: training images.
        run_dir: folder of the run, with its coarse network.
        seed: of the run; fixes the places.

    Returns:
        For each image (A, 2) int32 rows and columns of image pixels; A is 0 where there is no
        doubt at all.

    Raises:
        StsegError: the coarse network is missing.
    """
    model = load_checkpoint(checkpoint_path(run_dir, 'coarse', recipe.export))[0]
    asked = tqdm(images, desc='doubts', unit='image', leave=False)
    return [
        draw_by_doubt(
            coarse_planes(model, image.image_hwc, recipe.geometry)[0],
            (image.image_hwc.shape[0], image.image_hwc.shape[1]),
            np.random.default_rng((seed, place)),
        )
        for place, image in enumerate(asked)
    ]


def draw_by_doubt(
    logit_bytes_hw: UInt8Array, image_hw: tuple[int, int], rng: np.random.Generator
) -> Int32Array:
    """Draw image pixels, each with a chance in proportion to the doubt there.

    Doubt is 1 - |2 p - 1|, as in the paper's choice of regions: 1 at a probability of a half.

    Args:
        logit_bytes_hw: (h, w) uint8 logits of the whole image, see `stseg_ros.logit_bytes`.
        image_hw: the image's size.
        rng: source of randomness.

    Returns:
        (A, 2) int32 rows and columns; the same pixel may come again, and A is 0 without doubt.
    """
    doubt_hw = 1.0 - np.abs(2.0 * probability(logit_bytes_hw).astype(float) - 1.0)
    total = doubt_hw.sum()
    if total <= 0.0:
        return np.empty((0, 2), np.int32)
    chosen = rng.choice(doubt_hw.size, size=_PLACES, p=doubt_hw.ravel() / total)
    cell_yx = np.stack(np.divmod(chosen, doubt_hw.shape[1]), axis=1)
    place_yx = (cell_yx + rng.random((_PLACES, 2))) * np.array(image_hw) / doubt_hw.shape
    return np.asarray(place_yx, np.int32)
