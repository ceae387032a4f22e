"""Agreement along the borders of vehicles, after Boundary IoU.

Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021: of
both masks only the pixels within a distance d of the mask's own border are compared. The edge of
the image counts as a border there, and so it does here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.measure.pixel_metrics import IGNORE, PixelCounts
from stseg_ros.records import UInt8Array

BoolArray = npt.NDArray[np.bool_]

# Share of the image's diagonal: 4 pixels at 480x360, 11 at 1280x720. The paper's 2 % for COCO
# would take in the whole of most vehicles of a street scene.
BAND_SHARE = 0.0075


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruthBorder:
    """What comparing along the borders needs of a truth.

    Attributes:
        band_hw: (H, W) bool, vehicle pixels near the border of the truth.
        counted_hw: (H, W) bool; false near pixels that the truth ignores, where nobody knows
            whether there is a border.
        distance: width of the band in pixels.
    """

    band_hw: BoolArray
    counted_hw: BoolArray
    distance: int


def find_border(truth_hw: UInt8Array) -> TruthBorder:
    """Find the border band of a truth.

    Args:
        truth_hw: (H, W) uint8: 0 background, 255 ignore, anything else vehicle.

    Returns:
        The band, and where it counts.
    """
    distance = max(1, round(BAND_SHARE * math.hypot(*truth_hw.shape)))
    known_hw = truth_hw != IGNORE
    return TruthBorder(
        band_hw=_band(known_hw & (truth_hw != 0), distance),
        counted_hw=_erode(known_hw, distance, outside=1) if not known_hw.all() else known_hw,
        distance=distance,
    )


def count_boundary(mask_hw: npt.NDArray[np.generic], border: TruthBorder) -> PixelCounts:
    """Compare the border band of a mask with that of its truth.

    Args:
        mask_hw: (H, W) of any type; anything but 0 is vehicle.
        border: of the truth.

    Returns:
        Band pixels in both (tp), in the mask's only (fp), in the truth's only (fn); tn is 0. Their
        IoU is the Boundary IoU.
    """
    mask_band_hw = _band(mask_hw != 0, border.distance) & border.counted_hw
    truth_band_hw = border.band_hw & border.counted_hw
    tp = int(np.count_nonzero(mask_band_hw & truth_band_hw))
    return PixelCounts(
        tp=tp,
        fp=int(np.count_nonzero(mask_band_hw)) - tp,
        fn=int(np.count_nonzero(truth_band_hw)) - tp,
    )


def _band(mask_hw: BoolArray, distance: int) -> BoolArray:
    return mask_hw & ~_erode(mask_hw, distance, outside=0)


def _erode(mask_hw: BoolArray, distance: int, *, outside: int) -> BoolArray:
    """Keep the pixels whose square neighbourhood of this radius lies in the mask."""
    kernel = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    eroded = cv2.erode(
        mask_hw.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=(outside,)
    )
    return np.asarray(eroded, np.bool_)
