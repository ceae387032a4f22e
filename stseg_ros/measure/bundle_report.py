"""Choose a bundle's settings on held-out images, score it, and write both into the bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import Manifest, ModelBundle, write_manifest
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.measure import pixel_metrics
from stseg_ros.measure.evaluate import LabelledFrame, SettingScore, score_settings
from stseg_ros.pipeline.two_stage import TwoStageSegmenter

# 'max' cannot take back what the coarse network saw wrongly; it is for users who fear misses most.
_FUSIONS = ('paste', 'add')
_THRESHOLDS = tuple(round(0.3 + 0.05 * index, 2) for index in range(9))
_REGIONS = (2, 4, 8, 16, 32)


def choose_settings(
    segmenter: TwoStageSegmenter, held_out: Mapping[str, list[LabelledFrame]], regions: int
) -> SegmenterSettings:
    """Choose fusion and threshold by the mean, over the data sets, of the pooled Dice.

    Args:
        segmenter: the bundle, opened.
        held_out: images by data set, used for nothing else but this choice.
        regions: regions per frame, given.

    Returns:
        The best settings; the segmenter's own where there are no held-out images.
    """
    candidates = [
        SegmenterSettings(regions=regions, fusion=fusion, threshold=threshold)
        for fusion in _FUSIONS
        for threshold in _THRESHOLDS
    ]
    by_dataset = [
        [score.dice for score in score_settings(segmenter, frames, candidates)]
        for frames in held_out.values()
    ]
    if not by_dataset:
        return dataclasses.replace(segmenter.settings, regions=regions)
    return candidates[int(np.argmax(np.mean(by_dataset, axis=0)))]


def score_table(
    segmenter: TwoStageSegmenter, frames: Iterable[LabelledFrame], chosen: SegmenterSettings
) -> dict[str, Any]:
    """Score coarse only, and two stages for several numbers of regions and both fusions.

    Args:
        segmenter: the bundle, opened.
        frames: labelled images, never used for training.
        chosen: gives the threshold.

    Returns:
        `images` and `results`, a list of rows as they go into `bundle.yaml`.
    """
    counts = [count for count in _REGIONS if count <= segmenter.max_regions]
    candidates = [dataclasses.replace(chosen, regions=0)] + [
        dataclasses.replace(chosen, regions=count, fusion=fusion)
        for fusion in _FUSIONS
        for count in counts
    ]
    scores = score_settings(segmenter, frames, candidates)
    return {
        'images': len(scores[0].images),
        'backend': f'{segmenter.backend}, {segmenter.device}',
        'threshold': chosen.threshold,
        'results': [_row(score) for score in scores],
    }


def report_bundle(
    bundle: ModelBundle,
    held_out: Mapping[str, list[LabelledFrame]],
    score_sets: Mapping[str, Iterable[LabelledFrame]],
) -> Manifest:
    """Choose settings, score them and rewrite the bundle's manifest.

    Args:
        bundle: as exported; its `bundle.yaml` is written again.
        held_out: images by data set for choosing fusion and threshold.
        score_sets: images by name, such as 'camvid val', for the scores.

    Returns:
        What the bundle's manifest says now.
    """
    segmenter = open_segmenter(bundle, PipelineConfig())
    try:
        regions = bundle.manifest.recommended.regions
        chosen = choose_settings(segmenter, held_out, regions)
        scores = {
            name: score_table(segmenter, frames, chosen) for name, frames in score_sets.items()
        }
    finally:
        segmenter.close()
    manifest = dataclasses.replace(bundle.manifest, recommended=chosen, scores=scores)
    write_manifest(bundle.root, manifest)
    return manifest


def _row(score: SettingScore) -> dict[str, Any]:
    settings = score.settings
    mode: dict[str, Any] = {'mode': 'two_stage', 'fusion': settings.fusion}
    if settings.regions == 0:
        mode = {'mode': 'coarse'}
    return mode | {
        'regions': settings.regions,
        'dice': round(score.dice, 4),
        'mean_image_dice': round(score.mean_image_dice, 4),
        'iou': round(pixel_metrics.iou(score.pooled), 4),
        'precision': round(pixel_metrics.precision(score.pooled), 4),
        'recall': round(pixel_metrics.recall(score.pooled), 4),
    }
