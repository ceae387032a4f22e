"""Fit merge and choice of regions to a bundle's networks, and put them into the bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stseg_ros.bundle import (
    LearnedFiles,
    ModelBundle,
    NetworkFile,
    file_sha256,
    write_manifest,
)
from stseg_ros.config import LEARNED
from stseg_ros.measure.learned.fit_gain import fit_gain
from stseg_ros.measure.learned.fit_merge import FEATURES, FittedMerge, fit_merge, region_dice
from stseg_ros.measure.learned.held_out_frame import HeldOutFrame
from stseg_ros.pipeline.selectors.cell_gain import CellGain

MERGE_FILE, SELECTOR_FILE = 'merge.npy', 'selector.yaml'


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What was fitted.

    Attributes:
        merge: for fusion 'learned'.
        gain: for selector 'learned'.
        images: images it was fitted on.
        dice_add: Dice in the regions of these images with fusion 'add'.
        dice_learned: the same with fusion 'learned'.
    """

    merge: FittedMerge
    gain: CellGain
    images: int
    dice_add: float
    dice_learned: float

    def provenance(self) -> dict[str, Any]:
        """State it for people, as it goes into ``bundle.yaml``."""
        weights = dict(zip(FEATURES, self.merge.weights, strict=True))
        return {
            'images': self.images,
            'merge': {name: round(weight, 3) for name, weight in weights.items()}
            | {'bias': round(self.merge.bias, 3)},
            'dice_in_regions': {
                'add': round(self.dice_add, 4),
                LEARNED: round(self.dice_learned, 4),
            },
        }


def learn(frames: Sequence[HeldOutFrame], *, regions: int, fusion: str) -> Learned:
    """Fit both to labelled frames, each of which counts alike.

    Args:
        frames: never trained on; at least one.
        regions: regions per frame whose pixels the merge is fitted to.
        fusion: with which cells gain; 'learned' takes the merge that is fitted here.

    Returns:
        The fits; equal frames give equal fits.
    """
    counts = [frame.merge_counts(regions) for frame in frames]
    weighted = sum(one / max(1, one.sum()) for one in counts)
    merge = fit_merge(np.asarray(weighted, np.float64))
    pooled = np.sum(counts, axis=0)
    gain = fit_gain(
        np.concatenate([frame.features() for frame in frames]),
        np.concatenate([frame.gains(fusion, merge.table) for frame in frames]),
    )
    return Learned(
        merge=merge,
        gain=gain,
        images=len(frames),
        dice_add=region_dice(pooled, None),
        dice_learned=region_dice(pooled, merge.table),
    )


def write_learned(bundle: ModelBundle, learned: Learned) -> ModelBundle:
    """Put into a bundle what was fitted to its networks.

    Args:
        bundle: the bundle; what it had learned before is replaced.
        learned: the fits.

    Returns:
        The bundle, verified.

    Raises:
        BundleError: the bundle was altered meanwhile.
    """
    merge_path, selector_path = bundle.root / MERGE_FILE, bundle.root / SELECTOR_FILE
    learned.merge.table.write(merge_path)
    learned.gain.write(selector_path)
    merge, selector = (
        NetworkFile(file=path.name, sha256=file_sha256(path))
        for path in (merge_path, selector_path)
    )
    manifest = dataclasses.replace(
        bundle.manifest,
        learned=LearnedFiles(merge=merge, selector=selector),
        provenance=bundle.manifest.provenance | {'learned': learned.provenance()},
    )
    write_manifest(bundle.root, manifest)
    return ModelBundle.read(bundle.root)
