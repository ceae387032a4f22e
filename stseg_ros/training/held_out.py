"""Scores and pictures of a network in training, on the held-out images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from stseg_ros.bundle import Geometry
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.pipeline.fuse import merge_regions
from stseg_ros.pipeline.preprocess import (
    coarse_batch,
    region_batch,
    to_working_size,
    upsample_logits,
)
from stseg_ros.records import ChannelOrder, Float32Array, Int32Array, UInt8Array
from stseg_ros.training.augment import resize_labels
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.recipe import Recipe

_PREVIEWS = 8
_PREVIEW_HW = (256, 512)
_VEHICLE_RGB = np.array([255.0, 60.0, 60.0], np.float32)
_TRUTH_RGB = (60, 255, 60)


def score_held_out(
    model: ImageNetwork, images: list[LabelledImage], recipe: Recipe, stage: str
) -> PixelCounts:
    """Score one network alone, at the working size and threshold 0.5.

    Args:
        model: the network; left in evaluation mode.
        images: held-out images.
        recipe: geometry.
        stage: 'coarse' enlarges its logits, 'refine' segments every region.

    Returns:
        Counts pooled over the images.
    """
    counts = PixelCounts()
    for image in images:
        logits_hw = frame_logits(model, image.image_hwc, recipe, stage)
        truth_hw = resize_labels(image.vehicle_hw, recipe.geometry.working_hw)
        counts += count_pixels(logits_hw > 0, truth_hw)
    return counts


@torch.no_grad()
def frame_logits(
    model: ImageNetwork, image_hwc: UInt8Array, recipe: Recipe, stage: str
) -> Float32Array:
    """Run one network alone over a whole frame.

    Args:
        model: the network; left in evaluation mode.
        image_hwc: (H, W, 3) uint8 RGB of any size.
        recipe: geometry.
        stage: 'coarse' enlarges its logits, 'refine' segments every region.

    Returns:
        (h, w) float32 logits at the working size.
    """
    model.eval()
    geometry = recipe.geometry
    working_hwc = to_working_size(image_hwc, geometry.working_hw)
    if stage == 'coarse':
        batch = coarse_batch(working_hwc, ChannelOrder.RGB, geometry.coarse_factor)
        logits_hw = model(torch.from_numpy(batch))[0].numpy()
        return upsample_logits(logits_hw, geometry.working_hw)
    boxes_xyxy = grid_boxes(geometry)
    batch = region_batch(working_hwc, ChannelOrder.RGB, boxes_xyxy)
    logits_hw = np.empty(geometry.working_hw, np.float32)
    refined_khw = model(torch.from_numpy(batch)).numpy()
    merge_regions(logits_hw, boxes_xyxy, refined_khw, 'paste')
    return logits_hw


def grid_boxes(geometry: Geometry) -> Int32Array:
    """List all regions of the grid.

    Args:
        geometry: working size and grid.

    Returns:
        (rows x columns, 4) int32 half-open boxes in working pixels, row by row.
    """
    cell_h, cell_w = geometry.region_hw
    rows, columns = geometry.grid
    corners = [(row * cell_h, column * cell_w) for row in range(rows) for column in range(columns)]
    boxes = [(left, top, left + cell_w, top + cell_h) for top, left in corners]
    return np.array(boxes, np.int32)


def draw_preview(
    model: ImageNetwork, images: list[LabelledImage], recipe: Recipe, stage: str, path: Path
) -> None:
    """Write a sheet of held-out images: the mask in red, the outline of the truth in green.

    Args:
        model: the network; left in evaluation mode.
        images: held-out images; at most eight, evenly spread, are drawn.
        recipe: geometry.
        stage: 'coarse' or 'refine'.
        path: the PNG file.
    """
    if not images:
        return
    picked = np.linspace(0, len(images) - 1, min(_PREVIEWS, len(images))).astype(int)
    tiles = [_draw_one(model, images[index], recipe, stage) for index in picked]
    if len(tiles) % 2:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[index : index + 2]) for index in range(0, len(tiles), 2)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def _draw_one(model: ImageNetwork, image: LabelledImage, recipe: Recipe, stage: str) -> UInt8Array:
    logits_hw = frame_logits(model, image.image_hwc, recipe, stage)
    view_hwc = cv2.resize(image.image_hwc, _PREVIEW_HW[::-1], interpolation=cv2.INTER_AREA)
    mask_hw = cv2.resize(logits_hw, _PREVIEW_HW[::-1]) > 0
    canvas = view_hwc.copy()
    canvas[mask_hw] = np.rint(0.5 * view_hwc[mask_hw] + 0.5 * _VEHICLE_RGB).astype(np.uint8)
    truth_hw = (resize_labels(image.vehicle_hw, _PREVIEW_HW) == 1).astype(np.uint8)
    outlines, _ = cv2.findContours(truth_hw, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(canvas, outlines, -1, _TRUTH_RGB, 1), np.uint8)
