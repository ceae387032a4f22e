"""Scores as plain rows, the same in `bundle.yaml`, in JSON and in tables."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

from stseg_ros.measure import pixel_metrics
from stseg_ros.measure.candidates import TWO_STAGE, Candidate
from stseg_ros.measure.compute_cost import BundleCost
from stseg_ros.measure.evaluate import CandidateScore
from stseg_ros.measure.image_scores import ImageScore
from stseg_ros.measure.object_metrics import SIZES, ObjectCounts, SizeCounts
from stseg_ros.measure.pixel_metrics import PixelCounts
from stseg_ros.measure.probability_counts import best_threshold, soft_dice

_DIGITS = 4


def score_row(score: CandidateScore) -> dict[str, Any]:
    """State how a bundle ran and what that scored, pooled over the images.

    Args:
        score: of one candidate.

    Returns:
        Numbers and words only, numbers to four digits.
    """
    pixels = pixel_metrics.pool(image.pixels for image in score.images)
    return _mode(score.candidate) | {
        'dice': _rounded(pixel_metrics.dice(pixels)),
        'mean_image_dice': _rounded(pixel_metrics.mean_dice(i.pixels for i in score.images)),
        'iou': _rounded(pixel_metrics.iou(pixels)),
        'precision': _rounded(pixel_metrics.precision(pixels)),
        'recall': _rounded(pixel_metrics.recall(pixels)),
    }


def full_row(score: CandidateScore, cost: BundleCost) -> dict[str, Any]:
    """Add to `score_row` everything else that was measured.

    Args:
        score: of one candidate.
        cost: of the bundle's networks.

    Returns:
        What `results` of the evaluation's JSON holds.
    """
    count = len(score.images)
    probabilities = reduce(add, (image.probabilities for image in score.images))
    boundary = pixel_metrics.pool(image.boundary for image in score.images)
    objects = sum((image.objects for image in score.images), ObjectCounts())
    best = best_threshold(probabilities)
    mean_regions = sum(image.regions for image in score.images) / count
    spent = cost.of(score.candidate.mode, mean_regions)
    return score_row(score) | {
        'threshold': score.candidate.settings.threshold,
        'soft_dice': _rounded(soft_dice(probabilities)),
        'best_threshold': {'threshold': _rounded(best.threshold), 'dice': _rounded(best.dice)},
        'boundary_dice': _rounded(pixel_metrics.dice(boundary)),
        'boundary_iou': _rounded(pixel_metrics.iou(boundary)),
        'by_size': {
            size: _size_row(counts) for size, counts in zip(SIZES, objects.by_size, strict=True)
        },
        'false_alarms_per_image': _rounded(objects.false_alarms / count),
        'mean_regions': _rounded(mean_regions),
        'macs': round(spent.macs),
        'paper_flops': round(spent.paper_flops),
        'parameters': spent.parameters,
        'images': count,
    }


def image_rows(score: CandidateScore) -> list[dict[str, Any]]:
    """State what each image scored.

    Args:
        score: of one candidate.

    Returns:
        One row for each image, in order.
    """
    return [_image_row(name, image) for name, image in zip(score.names, score.images, strict=True)]


def _image_row(name: str, image: ImageScore) -> dict[str, Any]:
    pixels: PixelCounts = image.pixels
    return {
        'name': name,
        'dice': _rounded(pixel_metrics.dice(pixels)),
        'soft_dice': _rounded(soft_dice(image.probabilities)),
        'iou': _rounded(pixel_metrics.iou(pixels)),
        'precision': _rounded(pixel_metrics.precision(pixels)),
        'recall': _rounded(pixel_metrics.recall(pixels)),
        'boundary_dice': _rounded(pixel_metrics.dice(image.boundary)),
        'vehicle_pixels': pixels.tp + pixels.fn,
    }


def _mode(candidate: Candidate) -> dict[str, Any]:
    row: dict[str, Any] = {'mode': candidate.mode}
    if candidate.mode == TWO_STAGE:
        row['fusion'] = candidate.settings.fusion
    return row | {'regions': candidate.settings.regions}


def _size_row(counts: SizeCounts) -> dict[str, Any]:
    return {
        'components': counts.components,
        'recall': None if counts.recall is None else _rounded(counts.recall),
        'hit_rate': None if counts.hit_rate is None else _rounded(counts.hit_rate),
    }


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
