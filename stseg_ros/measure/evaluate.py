"""Scores of a segmenter on labelled images, for several settings at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stseg_ros.config import SegmenterSettings
from stseg_ros.measure import pixel_metrics
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels
from stseg_ros.pipeline.two_stage import TwoStageSegmenter
from stseg_ros.records import Frame, UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledFrame:
    """One labelled image.

    Attributes:
        image_hwc: (H, W, 3) uint8 RGB.
        vehicle_hw: (H, W) uint8 of 0, 1 and 255 (ignore).
    """

    image_hwc: UInt8Array
    vehicle_hw: UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingScore:
    """What one choice of settings scored, at the images' own size.

    Attributes:
        settings: how the segmenter ran.
        images: counts of each image, in order.
    """

    settings: SegmenterSettings
    images: tuple[PixelCounts, ...]

    @property
    def pooled(self) -> PixelCounts:
        """Counts over all images, every pixel weighing the same."""
        return pixel_metrics.pool(self.images)

    @property
    def dice(self) -> float:
        """Dice of the pooled counts."""
        return pixel_metrics.dice(self.pooled)

    @property
    def mean_image_dice(self) -> float:
        """Mean of the images' Dice, every image weighing the same."""
        return pixel_metrics.mean_dice(self.images)


def score_settings(
    segmenter: TwoStageSegmenter,
    frames: Iterable[LabelledFrame],
    candidates: Sequence[SegmenterSettings],
) -> list[SettingScore]:
    """Segment every image with every choice of settings.

    Args:
        segmenter: its settings are changed, and put back at the end.
        frames: the labelled images; read once, so they may come from disk one by one.
        candidates: settings to try.

    Returns:
        One score for each candidate, in order.

    Raises:
        ConfigError: a candidate asks for more regions than the bundle takes.
        DataError: an image cannot be read.
    """
    original = segmenter.settings
    counts: list[list[PixelCounts]] = [[] for _ in candidates]
    for labelled in frames:
        frame = Frame(image_hwc=labelled.image_hwc)
        for found, settings in zip(counts, candidates, strict=True):
            segmenter.settings = settings
            found.append(count_pixels(segmenter.segment(frame).mask_hw, labelled.vehicle_hw))
    segmenter.settings = original
    return [
        SettingScore(settings=settings, images=tuple(found))
        for settings, found in zip(candidates, counts, strict=True)
    ]
