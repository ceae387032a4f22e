"""Training batches: every batch is a function of seed and step, so that a run can be repeated."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from stseg_ros.pipeline.preprocess import to_working_size
from stseg_ros.records import UInt8Array
from stseg_ros.training import augment
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.recipe import Recipe, StageConfig

_BATCHES_AHEAD = 8
_DRAWING_THREADS = 2
# Whole-frame views are cut from images at half the working size.
_COARSE_LABEL_SCALE = 2


class StepBatches:
    """The batch of every step of one stage."""

    def __init__(
        self, *, images: list[LabelledImage], recipe: Recipe, stage: str, seed: int
    ) -> None:
        """Prepare to draw.

        Args:
            images: training images.
            recipe: geometry and augmentation.
            stage: 'coarse' for views of whole frames, 'refine' for views of single regions.
            seed: fixes every batch.
        """
        self._config: StageConfig = recipe.stage(stage)
        self._whole_frame = stage == 'coarse'
        # Shrinking a whole camera image anew for every view would take longer than training on it.
        self._images = (
            [_shrunk(image, recipe) for image in images] if self._whole_frame else images
        )
        self._view_hw = (
            recipe.geometry.coarse_hw if self._whole_frame else recipe.geometry.region_hw
        )
        self._grid = (1, 1) if self._whole_frame else recipe.geometry.grid
        self._seed = (seed, len(stage))
        weights = np.array([image.weight for image in images])
        self._weights = weights / weights.sum()

    def draw(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw the batch of one step.

        Args:
            step: counted from 0.

        Returns:
            (N, h, w, 3) uint8 views and (N, s h, s w) uint8 labels, s being `supervise_at`.
        """
        rng = np.random.default_rng((*self._seed, step))
        chosen = rng.choice(len(self._images), size=self._config.batch, p=self._weights)
        views = [self._view(self._images[index], rng) for index in chosen]
        images_nhwc = np.stack([view for view, _ in views])
        labels_nhw = np.stack([labels for _, labels in views])
        return torch.from_numpy(images_nhwc), torch.from_numpy(labels_nhw)

    def _view(
        self, image: LabelledImage, rng: np.random.Generator
    ) -> tuple[UInt8Array, UInt8Array]:
        config = self._config.augment
        frame_hw = image.image_hwc.shape[:2]
        nominal_hw = (frame_hw[0] / self._grid[0], frame_hw[1] / self._grid[1])
        size_hw = augment.random_view_hw(nominal_hw, config, rng)
        origin_yx = self._origin(image, size_hw, rng)
        box_hwc = augment.cut_box(image.image_hwc, origin_yx, size_hw)
        label_box_hw = _cut_labels(image, origin_yx, size_hw)
        scale = self._config.supervise_at
        label_size_hw = (self._view_hw[0] * scale, self._view_hw[1] * scale)
        view_hwc = to_working_size(box_hwc, self._view_hw)
        labels_hw = augment.resize_labels(label_box_hw, label_size_hw)
        if rng.random() < config.flip:
            view_hwc, labels_hw = view_hwc[:, ::-1], labels_hw[:, ::-1]
        return augment.vary_colours(np.ascontiguousarray(view_hwc), config, rng), labels_hw

    def _origin(
        self, image: LabelledImage, size_hw: tuple[int, int], rng: np.random.Generator
    ) -> tuple[int, int]:
        """Place a view near a vehicle's border, or anywhere; a larger one around the image."""
        frame = np.array(image.image_hwc.shape[:2], float)
        size = np.array(size_hw)
        low, high = np.minimum(0.0, frame - size), np.maximum(0.0, frame - size)
        origin = rng.uniform(low, high)
        near = not self._whole_frame and rng.random() < self._config.near_vehicles
        if near and len(image.anchors_yx):
            anchor = image.anchors_yx[rng.integers(len(image.anchors_yx))]
            origin = np.clip(anchor - rng.uniform(0.0, 1.0, size=2) * size, low, high)
        return round(origin[0]), round(origin[1])


def _shrunk(image: LabelledImage, recipe: Recipe) -> LabelledImage:
    """Take an image to a part of the working size, and its labels to the working size."""
    height, width = recipe.geometry.working_hw
    small_hw = (height // _COARSE_LABEL_SCALE, width // _COARSE_LABEL_SCALE)
    return dataclasses.replace(
        image,
        image_hwc=np.asarray(
            cv2.resize(image.image_hwc, small_hw[::-1], interpolation=cv2.INTER_AREA), np.uint8
        ),
        vehicle_hw=augment.resize_labels(image.vehicle_hw, (height, width)),
    )


def _cut_labels(
    image: LabelledImage, origin_yx: tuple[int, int], size_hw: tuple[int, int]
) -> UInt8Array:
    scale = image.vehicle_hw.shape[0] // image.image_hwc.shape[0]
    origin = (origin_yx[0] * scale, origin_yx[1] * scale)
    return augment.cut_box(image.vehicle_hw, origin, (size_hw[0] * scale, size_hw[1] * scale))


def draw_ahead(
    batches: StepBatches, first_step: int, steps: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Draw batches in order, ahead of time, in threads beside the training.

    Threads do, because resizing and colour changes release the interpreter's lock. Handing tensors
    over from worker processes crashed programs that loaded OpenVINO afterwards.

    Args:
        batches: where they come from.
        first_step: the first one to draw.
        steps: the step after the last one.

    Yields:
        `steps - first_step` batches; see `StepBatches.draw`.
    """
    pool = ThreadPoolExecutor(max_workers=_DRAWING_THREADS, thread_name_prefix='batches')
    try:
        waiting = deque(
            pool.submit(batches.draw, step)
            for step in range(first_step, min(first_step + _BATCHES_AHEAD, steps))
        )
        for step in range(first_step, steps):
            batch = waiting.popleft().result()
            if step + _BATCHES_AHEAD < steps:
                waiting.append(pool.submit(batches.draw, step + _BATCHES_AHEAD))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)
