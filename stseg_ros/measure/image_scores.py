"""Everything that is counted of one image, and its pooling over many."""

from __future__ import annotations

from dataclasses import dataclass

from stseg_ros.logit_bytes import resize_logit_bytes
from stseg_ros.measure.boundary_metrics import TruthBorder, count_boundary, find_border
from stseg_ros.measure.object_metrics import (
    ObjectCounts,
    TruthObjects,
    count_objects,
    find_objects,
)
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels
from stseg_ros.measure.probability_counts import ProbabilityCounts, count_probabilities
from stseg_ros.records import SegmentationResult, UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """The truth of one image, with what every comparison needs of it.

    Attributes:
        vehicle_hw: (H, W) uint8 of 0, 1 and 255 (ignore).
        border: its borders.
        objects: its vehicles.
    """

    vehicle_hw: UInt8Array
    border: TruthBorder
    objects: TruthObjects


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageScore:
    """One segmentation compared with its truth, at the image's own size.

    Attributes:
        pixels: agreement of the mask.
        boundary: agreement along the borders, see `boundary_metrics`.
        objects: agreement by vehicle, see `object_metrics`.
        probabilities: pixels by probability, see `probability_counts`.
        regions: regions that were refined.
    """

    pixels: PixelCounts
    boundary: PixelCounts
    objects: ObjectCounts
    probabilities: ProbabilityCounts
    regions: int


def prepare_truth(vehicle_hw: UInt8Array) -> Truth:
    """Work out what every comparison with a truth needs.

    Args:
        vehicle_hw: (H, W) uint8 of 0, 1 and 255 (ignore).

    Returns:
        The truth.
    """
    return Truth(
        vehicle_hw=vehicle_hw, border=find_border(vehicle_hw), objects=find_objects(vehicle_hw)
    )


def score_image(result: SegmentationResult, truth: Truth) -> ImageScore:
    """Compare a segmentation with its truth.

    Args:
        result: the segmentation.
        truth: of the same size.

    Returns:
        All counts.

    Raises:
        ValueError: the sizes differ.
    """
    mask_hw, vehicle_hw = result.mask_hw, truth.vehicle_hw
    height, width = mask_hw.shape
    return ImageScore(
        pixels=count_pixels(mask_hw, vehicle_hw),
        boundary=count_boundary(mask_hw, truth.border),
        objects=count_objects(mask_hw, vehicle_hw, truth.objects),
        probabilities=count_probabilities(
            resize_logit_bytes(result.wanted_logit_bytes_hw(), (height, width)), vehicle_hw
        ),
        regions=len(result.selection),
    )
