"""The published procedure, re-enacted with a bundle's networks, to be timed beside the pipeline.

What dianartsilva/two-stage-segmentation does for one image (commit b17e15f, src/test-twoseg.py and
src/patches_func.py), in its order: the image as float32 is resized twice, to the working and to
the coarse size; the coarse network; its logits are enlarged by scikit-image; a loop over all cells
takes |mean - 0.5| of their logits; the cells with the lowest go through the refine network one by
one and replace the coarse ones; all cells are joined. It ends there; here a mask at the camera's
size follows, at the least cost: a threshold, and the nearest pixel.

The networks run in PyTorch, as published, or on the pipeline's backend, which separates what the
procedure costs from what the library does; see `reference_networks`.

What differs favours the procedure or does not matter: where scikit-image is missing, OpenCV
enlarges, which is faster and gives the same but at the frame's edge; the enlarged logits are not
copied twice more; cells are joined at once, not by adding one after the other; nothing is scored.
On the pipeline's backend the networks take uint8, so that what they get is rounded, and their
logits come as bytes that end at 8: a mean of larger ones, by which the code ranks, may then choose
other cells, but as many. The published code resizes ahead of time, in processes of its own; here
it is part of a frame's time, as it is of the pipeline's.
"""

from __future__ import annotations

import importlib
import math
import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from stseg_ros.bundle import Geometry
from stseg_ros.measure.benchmark.reference_networks import ReferenceNetworks
from stseg_ros.pipeline.preprocess import check_frame
from stseg_ros.records import Float32Array, Frame, FrameTiming, UInt8Array, sigmoid

# What a cell's score is the mean of: the code takes logits, the paper says probabilities.
LOGITS, PROBABILITIES = 'logits', 'probabilities'


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

    def __init__(self, geometry: Geometry, networks: ReferenceNetworks) -> None:
        """Take the networks.

        Args:
            geometry: the bundle's sizes, without a prior.
            networks: both, opened; closed with the procedure.
        """
        assert not geometry.prior
        self._geometry = geometry
        self._networks = networks
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
        working_hw, coarse_hw = self._geometry.working_hw, self._geometry.coarse_hw
        working = self._networks.load(_resize(image_hwc, working_hw), order)
        shrunk = self._networks.load(_resize(image_hwc, coarse_hw), order)
        batch = self._networks.cut(shrunk, *map(slice, coarse_hw))
        clock.append(time.perf_counter_ns())

        logits_hw = self._networks.coarse(batch)
        clock.append(time.perf_counter_ns())

        cells = self._cut(self._enlarge(logits_hw))
        chosen = _lowest(cells, regions, score_space)
        refine_ns = 0
        height, width = self._geometry.region_hw
        for row, column in chosen:
            batch = self._networks.cut(
                working,
                slice(row * height, (row + 1) * height),
                slice(column * width, (column + 1) * width),
            )
            started_ns = time.perf_counter_ns()
            cells[row][column] = self._networks.refine(batch)
            refine_ns += time.perf_counter_ns() - started_ns
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
        self._networks.close()

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
