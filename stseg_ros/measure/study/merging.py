"""Ways to merge coarse and refined logits: those of the pipeline, and others to compare with."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from stseg_ros.config import FUSIONS
from stseg_ros.logit_bytes import ZERO
from stseg_ros.pipeline.fuse import merge_regions
from stseg_ros.pipeline.merge_table import MergeTable
from stseg_ros.records import Float32Array, Int32Array, UInt8Array

# Width in pixels over which feathering lets refined logits in.
_FEATHER = 16

MEANINGS = {
    'paste': 'refined logits replace coarse ones (the paper)',
    'add': 'the sum of both',
    'max': 'the larger of both',
    'learned': 'a table of both, fitted on the held-out images',
    'add_half': 'coarse logits and half the refined ones',
    'add_twice': 'coarse logits and twice the refined ones',
    'add_feather': f'add, refined logits fading out over {_FEATHER} pixels to the edges',
    'paste_feather': f'paste, fading out over {_FEATHER} pixels to the edges',
}


def merge_for_study(
    logit_bytes_hw: UInt8Array,
    boxes_xyxy: Int32Array,
    refined_khw: UInt8Array,
    fusion: str,
    table: MergeTable | None = None,
) -> None:
    """Merge refined logits into the map of the whole frame, in place.

    Args:
        logit_bytes_hw: (H, W) uint8 enlarged coarse logits; changed.
        boxes_xyxy: (K, 4) int32 half-open boxes inside the map; none overlap.
        refined_khw: (K, h, w) uint8 refined logits of those boxes.
        fusion: one of `MEANINGS`.
        table: of fusion 'learned'.
    """
    if fusion in FUSIONS:
        merge_regions(logit_bytes_hw, boxes_xyxy, refined_khw, fusion, table)
        return
    merge = _MERGE[fusion]
    for (left, top, right, bottom), refined_hw in zip(
        boxes_xyxy.tolist(), refined_khw, strict=True
    ):
        target_hw = logit_bytes_hw[top:bottom, left:right]
        target_hw[...] = merge(target_hw, refined_hw)


def _weighted(coarse: float, refined: float) -> Callable[[UInt8Array, UInt8Array], UInt8Array]:
    """Make a weighted sum of logits."""
    zero = ZERO * (1.0 - coarse - refined)
    return lambda coarse_hw, refined_hw: np.asarray(
        cv2.addWeighted(coarse_hw, coarse, refined_hw, refined, zero), np.uint8
    )


def _add_feather(coarse_hw: UInt8Array, refined_hw: UInt8Array) -> UInt8Array:
    weight_hw = _fade(refined_hw.shape)
    return _rounded(coarse_hw + weight_hw * (refined_hw.astype(np.float32) - ZERO))


def _paste_feather(coarse_hw: UInt8Array, refined_hw: UInt8Array) -> UInt8Array:
    weight_hw = _fade(refined_hw.shape)
    return _rounded(coarse_hw * (1.0 - weight_hw) + weight_hw * refined_hw)


def _rounded(values_hw: Float32Array) -> UInt8Array:
    return np.rint(values_hw).clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _fade(region_hw: tuple[int, ...]) -> Float32Array:
    """Weights that rise from 0 outside a region's edge to 1 inside."""
    axes = []
    for side in region_hw:
        from_edge = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
        axes.append(np.minimum(from_edge / _FEATHER, 1.0).astype(np.float32))
    return np.asarray(np.minimum(axes[0][:, None], axes[1][None, :]), np.float32)


_MERGE: dict[str, Callable[[UInt8Array, UInt8Array], UInt8Array]] = {
    'add_half': _weighted(1.0, 0.5),
    'add_twice': _weighted(1.0, 2.0),
    'add_feather': _add_feather,
    'paste_feather': _paste_feather,
}
