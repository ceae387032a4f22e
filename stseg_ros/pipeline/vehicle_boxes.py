"""Boxes of the single vehicles in a mask."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stseg_ros.records import Float32Array, Int32Array, UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VehicleBoxes:
    """The connected parts of a mask, largest first.

    Vehicles that touch in the image are one part.

    Attributes:
        boxes_xyxy: (N, 4) int32 half-open boxes in the mask's pixels.
        pixels: (N,) int32 pixels of the mask in each.
        score: (N,) float32 mean vehicle probability of those pixels, in [0, 1].
    """

    boxes_xyxy: Int32Array
    pixels: Int32Array
    score: Float32Array

    def __len__(self) -> int:
        """Return N, the number of boxes."""
        return len(self.boxes_xyxy)


def find_vehicles(
    mask_hw: UInt8Array, probability_hw: Float32Array, least_pixels: int
) -> VehicleBoxes:
    """Find the connected parts of a mask; pixels that meet at a corner are connected.

    Args:
        mask_hw: (H, W) uint8; 0 is no vehicle.
        probability_hw: (H, W) float32 vehicle probability.
        least_pixels: parts of fewer pixels are left out.

    Returns:
        The boxes.
    """
    _, labels_hw, statistics, _ = cv2.connectedComponentsWithStats(mask_hw, connectivity=8)
    pixels = statistics[:, cv2.CC_STAT_AREA]
    large = np.flatnonzero(pixels >= least_pixels)
    # Label 0 is what no vehicle covers.
    labels = large[large > 0]
    labels = labels[np.argsort(-pixels[labels], kind='stable')]
    corners = statistics[labels][:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]]
    sizes = statistics[labels][:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    boxes_xyxy = np.concatenate([corners, corners + sizes], axis=1).astype(np.int32)
    score = np.zeros(len(labels), np.float32)
    for index, (label, (x0, y0, x1, y1)) in enumerate(zip(labels, boxes_xyxy, strict=True)):
        inside_hw = labels_hw[y0:y1, x0:x1] == label
        score[index] = probability_hw[y0:y1, x0:x1][inside_hw].mean()
    return VehicleBoxes(boxes_xyxy=boxes_xyxy, pixels=pixels[labels].astype(np.int32), score=score)
