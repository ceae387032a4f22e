"""Training batches: every batch is a function of seed and step, so that a run can be repeated."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from stseg_ros.logit_bytes import ZERO
from stseg_ros.pipeline.preprocess import resize_image
from stseg_ros.records import Int32Array, UInt8Array
from stseg_ros.training import augment
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.prior_config import kind_of_stage
from stseg_ros.training.recipe import Recipe, StageConfig

_BATCHES_AHEAD = 8
_DRAWING_THREADS = 2
# Whole-frame views are cut from images at half the working size.
_COARSE_LABEL_SCALE = 2
_ANYWHERE: Int32Array = np.empty((0, 2), np.int32)


class StepBatches:
    """The batch of every step of one stage."""

    def __init__(
        self,
        *,
        images: list[LabelledImage],
        recipe: Recipe,
        stage: str,
        seed: int,
        priors: list[UInt8Array] | None = None,
        doubts_yx: list[Int32Array] | None = None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """Prepare to draw.

        Args:
            images: training images.
            recipe: geometry and augmentation.
            stage: 'coarse' for views of whole frames, 'refine' for views of single regions,
                'whole' for large parts of frames at the working size.
            seed: fixes every batch.
            priors: for each image (V, P, h, w) uint8 maps of the whole frame, what a coarse
                network says; one variation of it becomes the channels of a view after its colours,
                see `stseg_ros.training.priors`. None makes views of three channels.
            doubts_yx: for each image (A, 2) image pixels of which the coarse network was in doubt,
                for the share `near_doubt` of the views.
            rank: which of the processes that train together this one is, from 0.
            processes: how many those are. Each draws every `processes`-th view, and together they
                draw the batch that a single process would.
        """
        geometry = recipe.geometry
        kind = kind_of_stage(stage)
        self._config: StageConfig = recipe.stage(stage)
        self._whole_frame = kind == 'coarse'
        # Shrinking a whole camera image anew for every view would take longer than training on it.
        self._images = (
            [_shrunk(image, recipe) for image in images] if self._whole_frame else images
        )
        own_hw = {
            'coarse': geometry.coarse_hw,
            'refine': geometry.region_hw,
            'whole': geometry.working_hw,
        }
        self._priors = priors
        assert doubts_yx is not None or not self._config.near_doubt
        self._doubts_yx = doubts_yx
        self._prior_drop = recipe.priors.drop
        self._view_hw = self._config.view_hw or own_hw[kind]
        # A view spans this share of the frame, before it is varied.
        scale = geometry.coarse_factor if self._whole_frame else 1
        self._share_hw = (
            self._view_hw[0] * scale / geometry.working_hw[0],
            self._view_hw[1] * scale / geometry.working_hw[1],
        )
        self._seed = (seed, len(stage))
        self._own = range(rank, self._config.batch, processes)
        weights = np.array([image.weight for image in images])
        self._weights = weights / weights.sum()

    def draw(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw the batch of one step.

        Args:
            step: counted from 0.

        Returns:
            (N, h, w, 3 + P) uint8 views and (N, s h, s w) uint8 labels, s being `supervise_at`
            and N this process's share of the batch.
        """
        rng = np.random.default_rng((*self._seed, step))
        chosen = rng.choice(len(self._images), size=self._config.batch, p=self._weights)
        # A generator for each view, so that no process draws what others do.
        rngs = [np.random.default_rng((*self._seed, step, place)) for place in self._own]
        views = [
            self._view(int(chosen[place]), rng) for place, rng in zip(self._own, rngs, strict=True)
        ]
        images_nhwc = np.stack([view for view, _ in views])
        labels_nhw = np.stack([labels for _, labels in views])
        return torch.from_numpy(images_nhwc), torch.from_numpy(labels_nhw)

    def _view(self, index: int, rng: np.random.Generator) -> tuple[UInt8Array, UInt8Array]:
        config, image = self._config.augment, self._images[index]
        frame_hw = image.image_hwc.shape[:2]
        nominal_hw = (frame_hw[0] * self._share_hw[0], frame_hw[1] * self._share_hw[1])
        size_hw = augment.random_view_hw(nominal_hw, config, rng)
        origin_yx = self._origin(index, size_hw, rng)
        box_hwc = augment.cut_box(image.image_hwc, origin_yx, size_hw)
        label_box_hw = _cut_labels(image, origin_yx, size_hw)
        scale = self._config.supervise_at
        label_size_hw = (self._view_hw[0] * scale, self._view_hw[1] * scale)
        view_hwc = resize_image(box_hwc, self._view_hw)
        labels_hw = augment.resize_labels(label_box_hw, label_size_hw)
        layers = [view_hwc, labels_hw]
        if self._priors is not None:
            layers += self._prior(index, origin_yx, size_hw, rng)
        if rng.random() < config.flip:
            layers = [np.ascontiguousarray(layer[:, ::-1]) for layer in layers]
        layers[0] = augment.vary_colours(layers[0], config, rng)
        if config.rotate and rng.random() < config.rotate:
            degrees = rng.uniform(-180.0, 180.0)
            layers = [
                augment.rotate(layer, degrees, labels=place == 1)
                for place, layer in enumerate(layers)
            ]
        view_hwc, labels_hw, *priors = layers
        return np.dstack([view_hwc, *priors]) if priors else view_hwc, labels_hw

    def _prior(
        self,
        index: int,
        origin_yx: tuple[int, int],
        size_hw: tuple[int, int],
        rng: np.random.Generator,
    ) -> list[UInt8Array]:
        """Cut what a coarse network says of a view out of its maps of the frame."""
        assert self._priors is not None
        variants_vphw = self._priors[index]
        if rng.random() < self._prior_drop:
            return [np.full(self._view_hw, ZERO, np.uint8)] * variants_vphw.shape[1]
        height, width = self._images[index].image_hwc.shape[:2]
        return [
            augment.cut_from_map(map_hw, (height, width), origin_yx, size_hw, self._view_hw)
            for map_hw in variants_vphw[rng.integers(len(variants_vphw))]
        ]

    def _origin(
        self, index: int, size_hw: tuple[int, int], rng: np.random.Generator
    ) -> tuple[int, int]:
        """Place a view at a vehicle's border, at a doubt, or anywhere.

        It lies inside the image, or around it where it is larger. A pixel it is placed at may come
        anywhere in the view.
        """
        frame = np.array(self._images[index].image_hwc.shape[:2], float)
        size = np.array(size_hw)
        low, high = np.minimum(0.0, frame - size), np.maximum(0.0, frame - size)
        origin = rng.uniform(low, high)
        places_yx = self._places(index, rng)
        if len(places_yx):
            place_yx = places_yx[rng.integers(len(places_yx))]
            origin = np.clip(place_yx - rng.uniform(0.0, 1.0, size=2) * size, low, high)
        return round(origin[0]), round(origin[1])

    def _places(self, index: int, rng: np.random.Generator) -> Int32Array:
        """Draw the kind of place for a view; none where it may lie anywhere."""
        if self._whole_frame:
            return _ANYWHERE
        share = rng.random()
        if share < self._config.near_vehicles:
            return self._images[index].anchors_yx
        if share < self._config.near_vehicles + self._config.near_doubt:
            assert self._doubts_yx is not None
            return self._doubts_yx[index]
        return _ANYWHERE


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
