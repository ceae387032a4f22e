"""Scores by the size of vehicles, and false alarms: connected components instead of pixels.

A semantic mask does not tell touching vehicles apart, so a component may be several of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.measure.pixel_metrics import IGNORE
from stseg_ros.records import Int32Array, UInt8Array

SIZES = ('small', 'medium', 'large')
SIZE_CONVENTION = (
    "by share of the image: COCO's bounds of 32x32 and 96x96 pixels in an image of 640x480, "
    'that is small below 0.33 %, large from 3 %; components below 0.01 % count nowhere'
)
_COCO_PIXELS = 640 * 480
_LOWER_BOUNDS = (1e-4, 32**2 / _COCO_PIXELS, 96**2 / _COCO_PIXELS)
# A component counts as found when at least this share of it is.
HIT_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCounts:
    """What was found of the components of one size class.

    Attributes:
        components: components of the truth.
        hits: those of which at least half was found.
        pixels: their pixels.
        found_pixels: those of their pixels that were found.
    """

    components: int = 0
    hits: int = 0
    pixels: int = 0
    found_pixels: int = 0

    def __add__(self, other: SizeCounts) -> SizeCounts:
        """Pool two counts."""
        return SizeCounts(
            components=self.components + other.components,
            hits=self.hits + other.hits,
            pixels=self.pixels + other.pixels,
            found_pixels=self.found_pixels + other.found_pixels,
        )

    @property
    def recall(self) -> float | None:
        """Share of the pixels that was found; None where there are none."""
        return self.found_pixels / self.pixels if self.pixels else None

    @property
    def hit_rate(self) -> float | None:
        """Share of the components that was found; None where there are none."""
        return self.hits / self.components if self.components else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCounts:
    """Component scores of one image, or of many.

    Attributes:
        by_size: one count for each of `SIZES`.
        false_alarms: components of the mask that hold no vehicle pixel at all.
    """

    by_size: tuple[SizeCounts, SizeCounts, SizeCounts] = (SizeCounts(), SizeCounts(), SizeCounts())
    false_alarms: int = 0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        """Pool two counts."""
        small, medium, large = (
            own + others for own, others in zip(self.by_size, other.by_size, strict=True)
        )
        return ObjectCounts(
            by_size=(small, medium, large), false_alarms=self.false_alarms + other.false_alarms
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruthObjects:
    """The vehicles of a truth.

    Attributes:
        labels_hw: (H, W) int32, 0 where there is no vehicle, else 1 + the component's index.
        area: (N,) int32 pixels of each component.
        size: (N,) int32 index into `SIZES`; -1 for specks, which count nowhere.
    """

    labels_hw: Int32Array
    area: Int32Array
    size: Int32Array


def find_objects(truth_hw: UInt8Array) -> TruthObjects:
    """Find and class the vehicles of a truth.

    Args:
        truth_hw: (H, W) uint8: 0 background, 255 ignore, anything else vehicle.

    Returns:
        Its 8-connected components of vehicle pixels.
    """
    labels_hw, area = _components((truth_hw != 0) & (truth_hw != IGNORE))
    size = np.searchsorted(_LOWER_BOUNDS, area / truth_hw.size, side='right') - 1
    return TruthObjects(labels_hw=labels_hw, area=area, size=size.astype(np.int32))


def count_objects(
    mask_hw: npt.NDArray[np.generic], truth_hw: UInt8Array, objects: TruthObjects
) -> ObjectCounts:
    """Compare a mask with the vehicles of its truth.

    Args:
        mask_hw: (H, W) of any type; anything but 0 is vehicle.
        truth_hw: (H, W) uint8, the truth.
        objects: what `find_objects` found in it.

    Returns:
        The counts of this image.
    """
    mask = mask_hw != 0
    found = np.bincount(objects.labels_hw[mask], minlength=len(objects.area) + 1)[1:]
    hit = found >= HIT_SHARE * objects.area
    small, medium, large = (
        SizeCounts(
            components=int(np.count_nonzero(chosen)),
            hits=int(np.count_nonzero(hit & chosen)),
            pixels=int(objects.area[chosen].sum()),
            found_pixels=int(found[chosen].sum()),
        )
        for chosen in (objects.size == index for index in range(len(SIZES)))
    )
    return ObjectCounts(
        by_size=(small, medium, large),
        false_alarms=_false_alarms(mask & (truth_hw != IGNORE), objects),
    )


def _false_alarms(mask_hw: npt.NDArray[np.bool_], objects: TruthObjects) -> int:
    labels_hw, area = _components(mask_hw)
    vehicle = np.bincount(labels_hw[objects.labels_hw > 0], minlength=len(area) + 1)[1:]
    return int(np.count_nonzero((vehicle == 0) & (area >= _LOWER_BOUNDS[0] * mask_hw.size)))


def _components(mask_hw: npt.NDArray[np.bool_]) -> tuple[Int32Array, Int32Array]:
    """Label the 8-connected components from 1 on; returns labels (H, W) and areas (N,)."""
    _, labels_hw, statistics, _ = cv2.connectedComponentsWithStats(mask_hw.astype(np.uint8))
    area = np.asarray(statistics[1:, cv2.CC_STAT_AREA], np.int32)
    return np.asarray(labels_hw, np.int32), area
