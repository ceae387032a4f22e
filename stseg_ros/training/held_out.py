"""Scores and pictures of a network in training, on the held-out images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stseg_ros.logit_bytes import resize_logit_bytes
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels
from stseg_ros.networks.image_network import ImageNetwork, network_logits
from stseg_ros.pipeline.preprocess import FrameSampler
from stseg_ros.pipeline.selectors.cells import grid_boxes_xyxy
from stseg_ros.records import Float32Array, UInt8Array
from stseg_ros.training.augment import resize_labels
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.prior_config import kind_of_stage
from stseg_ros.training.priors import coarse_planes
from stseg_ros.training.recipe import Recipe
from stseg_ros.training.run_files import RGB

_PREVIEWS = 8
_PREVIEW_HW = (256, 512)
_VEHICLE_RGB = np.array([255.0, 60.0, 60.0], np.float32)
_TRUTH_RGB = (60, 255, 60)


def score_held_out(
    model: ImageNetwork,
    images: list[LabelledImage],
    recipe: Recipe,
    stage: str,
    coarse: ImageNetwork | None = None,
) -> PixelCounts:
    """Score one network alone, at the images' own size and threshold 0.5.

    Args:
        model: the network; left in evaluation mode.
        images: held-out images.
        recipe: geometry.
        stage: see `frame_logits`.
        coarse: see `frame_logits`.

    Returns:
        Counts pooled over the images.
    """
    counts = PixelCounts()
    for image in images:
        logits_hw = frame_logits(model, image.image_hwc, recipe, stage, coarse)
        height, width = image.image_hwc.shape[:2]
        mask_hw = cv2.resize(logits_hw, (width, height)) > 0
        counts += count_pixels(mask_hw, resize_labels(image.vehicle_hw, (height, width)))
    return counts


def frame_logits(
    model: ImageNetwork,
    image_hwc: UInt8Array,
    recipe: Recipe,
    stage: str,
    coarse: ImageNetwork | None = None,
) -> Float32Array:
    """Run one network alone over a whole frame.

    Args:
        model: the network; left in evaluation mode.
        image_hwc: (H, W, 3) uint8 RGB of any size.
        recipe: geometry.
        stage: 'coarse' enlarges its logits, 'refine' segments every region, 'whole' takes the
            frame for one region.
        coarse: the coarse network, for a refine network that sees what it says.

    Returns:
        (h, w) float32 logits at the working size.
    """
    model.eval()
    geometry = recipe.geometry
    sampler = FrameSampler(working_hw=geometry.working_hw, coarse_factor=geometry.coarse_factor)
    if kind_of_stage(stage) == 'coarse':
        batch = sampler.coarse(image_hwc)
        enlarged = cv2.resize(network_logits(model, batch)[0], geometry.working_hw[::-1])
        return np.asarray(enlarged, np.float32)
    height, width = geometry.working_hw
    whole_xyxy = np.array([(0, 0, width, height)], np.int32)
    boxes_xyxy = (
        whole_xyxy if stage == 'whole' else grid_boxes_xyxy(geometry.grid, geometry.working_hw)
    )
    prior_hw, features_fhw = None, None
    if model.inputs > RGB:
        assert coarse is not None
        planes_phw = coarse_planes(coarse, image_hwc, geometry)
        prior_hw = resize_logit_bytes(planes_phw[0], geometry.working_hw)
        features_fhw = planes_phw[1:]
    batch = sampler.regions(image_hwc, boxes_xyxy, prior_hw, features_fhw)
    logits_hw = np.empty(geometry.working_hw, np.float32)
    for box_xyxy, refined_hw in zip(boxes_xyxy, network_logits(model, batch), strict=True):
        left, top, right, bottom = box_xyxy
        logits_hw[top:bottom, left:right] = refined_hw
    return logits_hw


def draw_preview(
    model: ImageNetwork,
    images: list[LabelledImage],
    recipe: Recipe,
    stage: str,
    path: Path,
    coarse: ImageNetwork | None = None,
) -> None:
    """Write a sheet of held-out images: the mask in red, the outline of the truth in green.

    Args:
        model: the network; left in evaluation mode.
        images: held-out images; at most eight, evenly spread, are drawn.
        recipe: geometry.
        stage: see `frame_logits`.
        path: the PNG file.
        coarse: see `frame_logits`.
    """
    if not images:
        return
    picked = np.linspace(0, len(images) - 1, min(_PREVIEWS, len(images))).astype(int)
    shown = [images[index] for index in picked]
    tiles = [
        _draw_one(image, frame_logits(model, image.image_hwc, recipe, stage, coarse))
        for image in shown
    ]
    if len(tiles) % 2:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[index : index + 2]) for index in range(0, len(tiles), 2)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def _draw_one(image: LabelledImage, logits_hw: Float32Array) -> UInt8Array:
    view_hwc = cv2.resize(image.image_hwc, _PREVIEW_HW[::-1], interpolation=cv2.INTER_AREA)
    mask_hw = cv2.resize(logits_hw, _PREVIEW_HW[::-1]) > 0
    canvas = view_hwc.copy()
    canvas[mask_hw] = np.rint(0.5 * view_hwc[mask_hw] + 0.5 * _VEHICLE_RGB).astype(np.uint8)
    truth_hw = (resize_labels(image.vehicle_hw, _PREVIEW_HW) == 1).astype(np.uint8)
    outlines, _ = cv2.findContours(truth_hw, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(canvas, outlines, -1, _TRUTH_RGB, 1), np.uint8)
