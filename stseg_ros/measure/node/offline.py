"""What the same images give without ROS and without a clock, with every number of regions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stseg_ros.measure.node.labelled_stream import StreamImage
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels, dice, pool
from stseg_ros.pipeline.segmenter import Segmenter
from stseg_ros.records import UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OfflineMasks:
    """Masks and scores of a stream's images.

    Attributes:
        sources: the data set of each image.
        masks: packed masks by image and number of regions, 0 first; see `Answer.mask_bits`.
        counts: their agreement with the truth, likewise.
    """

    sources: tuple[str, ...]
    masks: tuple[tuple[UInt8Array, ...], ...]
    counts: tuple[tuple[PixelCounts, ...], ...]

    @property
    def most_regions(self) -> int:
        """The largest number of regions."""
        return len(self.masks[0]) - 1

    def dice(self, source: str, regions: int) -> float:
        """Score a data set with the same number of regions for all images.

        Args:
            source: the data set.
            regions: 0 to `most_regions`.

        Returns:
            Dice, pooled over all pixels.
        """
        return dice(
            pool(
                counts[regions]
                for counts, from_ in zip(self.counts, self.sources, strict=True)
                if from_ == source
            )
        )

    def dice_at_mean(self, source: str, mean_regions: float) -> float:
        """Score a data set with a mean number of regions: between its neighbours on a line.

        Args:
            source: the data set.
            mean_regions: 0 to `most_regions`.

        Returns:
            Dice, pooled over all pixels.
        """
        known = range(self.most_regions + 1)
        scores = [self.dice(source, regions) for regions in known]
        return float(np.interp(mean_regions, list(known), scores))


def segment_offline(
    stream: Sequence[StreamImage],
    segmenter: Segmenter,
    on_image: Callable[[], object] = lambda: None,
) -> OfflineMasks:
    """Segment every image with 0 regions up to what the settings ask for.

    Args:
        stream: the images.
        segmenter: the open segmenter; it has its settings back in the end.
        on_image: called after each image.

    Returns:
        Masks and counts.

    Raises:
        EngineError: a network failed.
    """
    settings = segmenter.settings
    masks, counts = [], []
    for image in stream:
        found = []
        for regions in range(settings.regions + 1):
            segmenter.settings = dataclasses.replace(settings, regions=regions)
            found.append(segmenter.segment(image.frame).mask_hw)
        masks.append(tuple(np.packbits(mask_hw > 0, axis=1) for mask_hw in found))
        counts.append(tuple(count_pixels(mask_hw, image.vehicle_hw) for mask_hw in found))
        on_image()
    segmenter.settings = settings
    return OfflineMasks(
        sources=tuple(image.source for image in stream),
        masks=tuple(masks),
        counts=tuple(counts),
    )
