"""The picture for people: what was found, and where stage 2 looked again."""

from __future__ import annotations

import cv2
import numpy as np

from stseg_ros.records import ChannelOrder, Frame, SegmentationResult, UInt8Array

_VEHICLE_BGR = (255, 170, 0)
_CONTOUR_BGR = (255, 235, 130)
_REGION_BGR = (60, 215, 255)
# One pixel of line for so many pixels of the image's shorter side.
_SIDE_PER_LINE_PIXEL = 500


def draw_overlay(frame: Frame, result: SegmentationResult, alpha: float = 0.5) -> UInt8Array:
    """Draw a segmentation over its image.

    Vehicles are tinted blue with a bright contour; the refined regions are framed in yellow.

    Args:
        frame: the image that was segmented.
        result: its segmentation.
        alpha: opacity of the tint in [0, 1]; contours and frames are always drawn.

    Returns:
        (H, W, 3) uint8 BGR at the camera's size, newly made.
    """
    if frame.channel_order is ChannelOrder.RGB:
        picture = np.asarray(cv2.cvtColor(frame.image_hwc, cv2.COLOR_RGB2BGR), np.uint8)
    else:
        picture = np.array(frame.image_hwc, np.uint8, order='C')
    line_width = max(1, round(min(picture.shape[:2]) / _SIDE_PER_LINE_PIXEL))
    _draw_regions(picture, result, line_width)
    _tint_vehicles(picture, result.mask_hw, alpha)
    contours, _ = cv2.findContours(result.mask_hw, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, _CONTOUR_BGR, line_width)
    return picture


def _tint_vehicles(picture_hwc: UInt8Array, mask_hw: UInt8Array, alpha: float) -> None:
    """Blend the vehicle colour into the masked pixels, in place."""
    x, y, width, height = cv2.boundingRect(mask_hw)
    if not width:
        return
    part_hwc = picture_hwc[y : y + height, x : x + width]
    colour_hwc = np.full_like(part_hwc, _VEHICLE_BGR)
    tinted_hwc = cv2.addWeighted(colour_hwc, alpha, part_hwc, 1.0 - alpha, 0.0)
    cv2.copyTo(tinted_hwc, mask_hw[y : y + height, x : x + width], part_hwc)


def _draw_regions(picture_hwc: UInt8Array, result: SegmentationResult, line_width: int) -> None:
    """Frame the refined regions just inside their edges, in place."""
    inset = line_width // 2
    for x0, y0, x1, y1 in result.boxes_in_camera_xyxy().tolist():
        upper_left = (x0 + inset, y0 + inset)
        lower_right = (x1 - 1 - inset, y1 - 1 - inset)
        cv2.rectangle(picture_hwc, upper_left, lower_right, _REGION_BGR, line_width)
