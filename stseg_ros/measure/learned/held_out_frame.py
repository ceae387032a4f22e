"""What both networks say of a labelled frame, every cell refined, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.logit_bytes import ZERO
from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.pixel_metrics import IGNORE
from stseg_ros.measure.study.evidence import FrameEvidence, StudyNetworks
from stseg_ros.pipeline.fuse import merge_regions
from stseg_ros.pipeline.merge_table import LEVELS, MergeTable
from stseg_ros.pipeline.selectors.cell_gain import cell_features
from stseg_ros.pipeline.selectors.cells import grid_boxes_xyxy
from stseg_ros.pipeline.selectors.grid import GridSelector
from stseg_ros.records import CoarseResult, UInt8Array

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOutFrame:
    """One labelled frame at the working size.

    Attributes:
        grid: rows and columns of cells.
        coarse_hw: (h, w) uint8 coarse logits, see `stseg_ros.logit_bytes`.
        enlarged_hw: (H, W) uint8, the same at the working size.
        refined_khw: (cells, h, w) uint8 refined logits, row by row.
        truth_hw: (H, W) uint8: 0 background, 255 ignore, anything else vehicle.
    """

    grid: tuple[int, int]
    coarse_hw: UInt8Array
    enlarged_hw: UInt8Array
    refined_khw: UInt8Array
    truth_hw: UInt8Array

    def features(self) -> Float64Array:
        """Describe the cells, see `cell_gain.cell_features`."""
        return cell_features(self.coarse_hw, self.grid)

    def merge_counts(self, regions: int) -> Int64Array:
        """Count the labels of the regions that the paper's criterion chooses.

        Args:
            regions: how many.

        Returns:
            (2, 256, 256) int64: background and vehicle pixels by coarse byte and refined byte.
        """
        selector = GridSelector(grid=self.grid, working_hw=_size(self.enlarged_hw))
        selection = selector.select(
            CoarseResult(logit_bytes_hw=self.coarse_hw), regions=regions, refine_below=1.0
        )
        chosen = {tuple(box) for box in selection.boxes_xyxy.tolist()}
        counts = np.zeros((2, LEVELS * LEVELS), np.int64)
        for box, refined_hw in zip(self._boxes(), self.refined_khw, strict=True):
            if tuple(box) in chosen:
                left, top, right, bottom = box
                coarse_hw = self.enlarged_hw[top:bottom, left:right]
                pairs = coarse_hw.astype(np.int64) * LEVELS + refined_hw
                truth_hw = self.truth_hw[top:bottom, left:right]
                for label, there in enumerate(_labels(truth_hw)):
                    counts[label] += np.bincount(pairs[there], minlength=LEVELS * LEVELS)
        return counts.reshape(2, LEVELS, LEVELS)

    def gains(self, fusion: str, table: MergeTable | None) -> Float64Array:
        """Tell what refining each cell gains.

        Args:
            fusion: how refined logits are merged.
            table: of fusion 'learned'.

        Returns:
            (cells,) float64: the share of the cell's pixels that are right with refinement only,
            less those that are right without it only.
        """
        merged_hw = self.enlarged_hw.copy()
        boxes_xyxy = np.array(self._boxes(), np.int32)
        merge_regions(merged_hw, boxes_xyxy, self.refined_khw, fusion, table)
        background_hw, vehicle_hw = _labels(self.truth_hw)
        change_hw = (merged_hw > ZERO).astype(np.int64) - (self.enlarged_hw > ZERO)
        better_hw = change_hw * (vehicle_hw.astype(np.int64) - background_hw)
        gains = [
            better_hw[top:bottom, left:right].mean() for left, top, right, bottom in self._boxes()
        ]
        return np.array(gains, np.float64)

    def _boxes(self) -> list[list[int]]:
        boxes: list[list[int]] = grid_boxes_xyxy(self.grid, _size(self.enlarged_hw)).tolist()
        return boxes


def refine_everywhere(networks: StudyNetworks, labelled: LabelledFrame) -> HeldOutFrame:
    """Run both networks on a labelled frame.

    Args:
        networks: the opened networks.
        labelled: the frame.

    Returns:
        What they say, and the truth.

    Raises:
        EngineError: a network failed.
    """
    return everywhere_refined(networks, FrameEvidence(networks, labelled.image_hwc), labelled)


def everywhere_refined(
    networks: StudyNetworks, evidence: FrameEvidence, labelled: LabelledFrame
) -> HeldOutFrame:
    """Collect what both networks say of a labelled frame.

    Args:
        networks: the opened networks.
        evidence: of the frame; cells not refined yet are refined.
        labelled: the frame.

    Returns:
        What they say, and the truth.

    Raises:
        EngineError: a network failed.
    """
    geometry = networks.bundle.geometry
    height, width = geometry.working_hw
    truth_hw = cv2.resize(labelled.vehicle_hw, (width, height), interpolation=cv2.INTER_NEAREST)
    return HeldOutFrame(
        grid=geometry.grid,
        coarse_hw=evidence.coarse.logit_bytes_hw,
        enlarged_hw=evidence.enlarged_hw,
        refined_khw=evidence.refined(grid_boxes_xyxy(geometry.grid, geometry.working_hw)),
        truth_hw=np.asarray(truth_hw, np.uint8),
    )


def _labels(truth_hw: UInt8Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell where background and where vehicles are."""
    return truth_hw == 0, (truth_hw != 0) & (truth_hw != IGNORE)


def _size(map_hw: UInt8Array) -> tuple[int, int]:
    return map_hw.shape[0], map_hw.shape[1]
