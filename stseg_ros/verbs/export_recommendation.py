"""What `stseg export` puts into a bundle to choose regions and merge them by."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing

from tqdm import tqdm

from stseg_ros.bundle import ModelBundle, write_manifest
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.learned.held_out_frame import refine_everywhere
from stseg_ros.measure.learned.learn import learn, write_learned
from stseg_ros.measure.study.evidence import StudyNetworks
from stseg_ros.training.images import LabelledImage

# Every cell of each is kept in memory; more images change little.
_MOST_IMAGES = 200


def learn_from(
    bundle: ModelBundle, held_out: Sequence[LabelledImage], fusion: str | None
) -> ModelBundle:
    """Fit merge and choice of regions to held-out images, and say what it gains there.

    Args:
        bundle: as exported.
        held_out: images never trained on; at least one. Of many, some are taken, evenly spread.
        fusion: with which cells gain; None takes the recommended one.

    Returns:
        The bundle with what was learned.

    Raises:
        EngineError: a network does not open, or failed.
    """
    recommended = bundle.manifest.recommended
    chosen = held_out[:: -(-len(held_out) // _MOST_IMAGES)]
    with closing(StudyNetworks(bundle, PipelineConfig())) as networks:
        frames = [
            refine_everywhere(
                networks, LabelledFrame(image_hwc=image.image_hwc, vehicle_hw=image.vehicle_hw)
            )
            for image in tqdm(chosen, desc='learning', unit='image', leave=False, disable=None)
        ]
    learned = learn(frames, regions=recommended.regions, fusion=fusion or recommended.fusion)
    print(
        f'learned from {learned.images} held-out images; Dice in the regions of these: '
        f'learned {learned.dice_learned:.4f}, add {learned.dice_add:.4f}'
    )
    return write_learned(bundle, learned)


def recommend(bundle: ModelBundle, selector: str, fusion: str | None) -> ModelBundle:
    """Write recommendations into a bundle.

    Args:
        bundle: the bundle.
        selector: chooses regions.
        fusion: merges them; None leaves what the bundle has.

    Returns:
        The bundle, verified.
    """
    recommended = dataclasses.replace(bundle.manifest.recommended, selector=selector)
    if fusion is not None:
        recommended = dataclasses.replace(recommended, fusion=fusion)
    write_manifest(bundle.root, dataclasses.replace(bundle.manifest, recommended=recommended))
    return ModelBundle.read(bundle.root)
