"""The published procedure, re-enacted with a bundle's networks, to be timed beside the pipeline.

What dianartsilva/two-stage-segmentation does for one image (commit b17e15f, src/test-twoseg.py and
src/patches_func.py), in its order: the image as float32 is resized twice, to the working and to
the coarse size; the coarse network; its logits are enlarged by scikit-image; a loop over all cells
takes |mean - 0.5| of their logits; the cells with the lowest go through the refine network one by
one and replace the coarse ones; all cells are joined. It ends there; here a mask at the camera's
size follows, at the least cost: a threshold, and the nearest pixel.

What differs favours it or does not matter: the networks run on the pipeline's backend and take
uint8, so that what they get is rounded; where scikit-image is missing, OpenCV enlarges, which is
faster and gives the same but at the frame's edge; cells are joined at once, not by adding one
after the other.
"""

from __future__ import annotations

import importlib
import math
import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.backends import open_pair
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO
from stseg_ros.pipeline.preprocess import check_frame
from stseg_ros.records import Float32Array, Frame, FrameTiming, UInt8Array, sigmoid

# What a cell's score is the mean of: the code takes logits, the paper says probabilities.
LOGITS, PROBABILITIES = 'logits', 'probabilities'

_LOGIT_OF_BYTE: Float32Array = np.asarray(
    (np.arange(256) - ZERO) / STEPS_PER_LOGIT, dtype=np.float32
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReferenceResult:
    """What the procedure says of one frame.

    Attributes:
        mask_hw: (H, W) uint8 at the camera's size; 255 is vehicle.
        cells: row and column of each refined cell, in their order.
        timing: wall time; `select` holds all of the loops but the network calls.
    """

    mask_hw: UInt8Array
    cells: tuple[tuple[int, int], ...]
    timing: FrameTiming


class ReferenceProcedure:
    """Segments frames as the published code does; `close` frees it.

    Attributes:
        enlarged_by: the library that enlarges the coarse logits.
    """

    def __init__(self, bundle: ModelBundle, backend: str, config: PipelineConfig) -> None:
        """Open the networks as the pipeline does.

        Args:
            bundle: a bundle whose refine network sees nothing but the image.
            backend: a name in `BACKENDS`.
            config: threads and precision.

        Raises:
            EngineError: the backend does not open them.
        """
        assert not bundle.geometry.prior
        self._geometry = bundle.geometry
        # As in `stseg_ros.assembly`: plans built for the pipeline then serve here.
        options = EngineOptions(
            threads=config.threads,
            precision=config.precision,
            max_batch=bundle.geometry.max_regions,
            usual_batch=bundle.manifest.recommended.regions,
        )
        self._engines = open_pair(
            bundle.coarse_path, bundle.refine_path, backend=backend, options=options
        )
        self._scikit_image = _find_scikit_image()
        self.enlarged_by = 'OpenCV' if self._scikit_image is None else 'scikit-image'

    def segment(
        self, frame: Frame, regions: int, *, threshold: float, score_space: str = LOGITS
    ) -> ReferenceResult:
        """Segment one frame.

        Args:
            frame: the camera image.
            regions: cells to refine.
            threshold: vehicle where the probability is above this.
            score_space: what the cells are ranked by, 'logits' as the code does, or
                'probabilities' as the paper says and the pipeline does.

        Returns:
            The mask, and what led to it.

        Raises:
            FrameError: the frame cannot be used.
            EngineError: a network failed.
        """
        check_frame(frame)
        order, (camera_height, camera_width) = frame.channel_order, frame.image_hwc.shape[:2]
        clock = [time.perf_counter_ns()]

        image_hwc = frame.image_hwc.astype(np.float32)
        working_hwc = _resize(image_hwc, self._geometry.working_hw)
        batch = _round(_resize(image_hwc, self._geometry.coarse_hw))
        clock.append(time.perf_counter_ns())

        coarse_hw = self._engines.coarse.infer(batch, order)[0]
        clock.append(time.perf_counter_ns())

        cells = self._cut(self._enlarge(_logits(coarse_hw)))
        chosen = _lowest(cells, regions, score_space)
        refine_ns = 0
        height, width = self._geometry.region_hw
        for row, column in chosen:
            top, left = row * height, column * width
            batch = _round(working_hwc[top : top + height, left : left + width])
            started_ns = time.perf_counter_ns()
            refined_hw = self._engines.refine.infer(batch, order)[0]
            refine_ns += time.perf_counter_ns() - started_ns
            cells[row][column] = _logits(refined_hw)
        clock.append(time.perf_counter_ns())

        vehicle_hw = np.block(cells) > math.log(threshold / (1.0 - threshold))
        mask_hw = cv2.resize(
            vehicle_hw.astype(np.uint8) * np.uint8(255),
            (camera_width, camera_height),
            interpolation=cv2.INTER_NEAREST,
        )
        clock.append(time.perf_counter_ns())

        preprocess, coarse, loops, fuse = np.diff(clock).tolist()
        timing = FrameTiming(
            preprocess_ns=preprocess,
            coarse_ns=coarse,
            select_ns=loops - refine_ns,
            refine_ns=refine_ns,
            fuse_ns=fuse,
        )
        return ReferenceResult(
            mask_hw=np.asarray(mask_hw, np.uint8), cells=tuple(chosen), timing=timing
        )

    def close(self) -> None:
        """Close the networks."""
        self._engines.close()

    def _enlarge(self, logits_hw: Float32Array) -> Float32Array:
        if self._scikit_image is None:
            return _resize(logits_hw, self._geometry.working_hw)
        return np.asarray(
            self._scikit_image.resize(logits_hw, self._geometry.working_hw), np.float32
        )

    def _cut(self, logits_hw: Float32Array) -> list[list[Float32Array]]:
        """Divide the map into the cells of the grid."""
        (height, width), (rows, columns) = self._geometry.region_hw, self._geometry.grid
        return [
            [
                logits_hw[row * height : (row + 1) * height, left : left + width]
                for left in range(0, columns * width, width)
            ]
            for row in range(rows)
        ]


def _find_scikit_image() -> Any:
    """Import what the published code enlarges with; None where it is not installed."""
    try:
        return importlib.import_module('skimage.transform')
    except ImportError:
        return None


def _lowest(
    cells: list[list[Float32Array]], regions: int, score_space: str
) -> list[tuple[int, int]]:
    """Rank the cells one by one; of equal scores the first in row-major order comes first."""
    scores, places = [], []
    for row, cells_of_row in enumerate(cells):
        for column, cell in enumerate(cells_of_row):
            values = cell if score_space == LOGITS else sigmoid(cell)
            scores.append(abs(float(np.mean(values)) - 0.5))
            places.append((row, column))
    return [places[index] for index in np.argsort(scores, kind='stable')[:regions]]


def _resize(array: Float32Array, size_hw: tuple[int, int]) -> Float32Array:
    return np.asarray(cv2.resize(array, size_hw[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _round(image_hwc: Float32Array) -> UInt8Array:
    """Make a batch of one image of what the networks take."""
    return np.ascontiguousarray(np.rint(image_hwc).astype(np.uint8))[None]


def _logits(logit_bytes_hw: UInt8Array) -> Float32Array:
    return np.asarray(cv2.LUT(logit_bytes_hw, _LOGIT_OF_BYTE), np.float32)
