"""Every criterion, fusion and number of regions on one frame, and their pooling over many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.study.areas import (
    FP,
    TP,
    Areas,
    Int64Array,
    count_cells,
    count_mask,
    find_areas,
)
from stseg_ros.measure.study.evidence import FrameEvidence, StudyNetworks
from stseg_ros.measure.study.merging import merge_for_study
from stseg_ros.pipeline.fuse import threshold_mask
from stseg_ros.pipeline.selectors.cells import CellSelector, grid_boxes_xyxy
from stseg_ros.pipeline.selectors.choice import SELECTORS, make_selector
from stseg_ros.pipeline.selectors.region_selector import RegionSelector
from stseg_ros.pipeline.selectors.temporal import TemporalSelector
from stseg_ros.pipeline.selectors.uncertainty import EntropySelector
from stseg_ros.records import CoarseResult, Int32Array, UInt8Array

COARSE, ORACLE, RANDOM = 'coarse only', 'oracle', 'random'
TEMPORAL, ENTROPY = 'margin, frame before', 'entropy'


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to run both stages.

    Attributes:
        criterion: which regions are refined.
        fusion: how they are merged.
        regions: the most of them.
    """

    criterion: str
    fusion: str
    regions: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """What one choice scored, on one image or on many.

    Attributes:
        counts: (5,) int64, see `stseg_ros.measure.study.areas`.
        totals: (5,) int64, what there was to count.
        regions: regions refined.
        images: images.
    """

    counts: Int64Array
    totals: Int64Array
    regions: int
    images: int = 1

    def __add__(self, other: Tally) -> Tally:
        """Pool two tallies."""
        return Tally(
            counts=self.counts + other.counts,
            totals=self.totals + other.totals,
            regions=self.regions + other.regions,
            images=self.images + other.images,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """What is compared.

    Attributes:
        regions: numbers of regions.
        fusions: fusions of the criteria that choose cells.
        window_fusions: fusions of those that choose windows, whose masks are each made anew.
        window_regions: numbers of regions of those.
        threshold: vehicle above this probability.
        video: whether the images follow each other, so that the frame before means something.
    """

    regions: tuple[int, ...]
    fusions: tuple[str, ...]
    window_fusions: tuple[str, ...]
    window_regions: tuple[int, ...]
    threshold: float = 0.5
    video: bool = False


class FrameStudy:
    """Scores frame by frame. It belongs to one set: it remembers the frame before."""

    def __init__(self, networks: StudyNetworks, plan: StudyPlan) -> None:
        """Make the selectors.

        Args:
            networks: the opened networks.
            plan: what is compared.
        """
        geometry = networks.bundle.geometry
        self._networks = networks
        self._plan = plan
        self._grid = geometry.grid
        self._cells_xyxy = grid_boxes_xyxy(geometry.grid, geometry.working_hw)
        self._selectors: dict[str, RegionSelector] = {
            **{name: make_selector(name, geometry) for name in SELECTORS},
            ENTROPY: EntropySelector(grid=geometry.grid, working_hw=geometry.working_hw),
        }
        self._temporal = TemporalSelector(make_selector('margin', geometry))
        self._random = np.random.default_rng(0)

    def score(self, labelled: LabelledFrame) -> dict[Choice, Tally]:
        """Score every choice on one image.

        Args:
            labelled: the image; of a video the one after the last.

        Returns:
            One tally per choice; the coarse network alone has no fusion and 0 regions.

        Raises:
            EngineError: a network failed.
        """
        frame = _Frame(self._networks, labelled, self._plan.threshold)
        coarse_mask_hw = frame.mask(self._cells_xyxy[:0], 'add')
        coarse_counts = count_cells(coarse_mask_hw, frame.areas, self._grid)
        coarse_only = frame.tally(coarse_counts.sum(axis=0), 0)
        tallies = {Choice(criterion=COARSE, fusion='', regions=0): coarse_only}
        rankings = self._rank_cells(frame.evidence.coarse)
        for fusion in self._plan.fusions:
            refined_mask_hw = frame.mask(self._cells_xyxy, fusion)
            change = count_cells(refined_mask_hw, frame.areas, self._grid) - coarse_counts
            rankings[ORACLE] = _best_cells(change)
            for criterion, cells in rankings.items():
                for regions in self._plan.regions:
                    chosen = cells[:regions]
                    counts = coarse_only.counts + change[chosen].sum(axis=0)
                    choice = Choice(criterion=criterion, fusion=fusion, regions=regions)
                    tallies[choice] = frame.tally(counts, len(chosen))
        tallies |= self._score_windows(frame)
        self._temporal.observe(frame.evidence.coarse)
        return tallies

    def _rank_cells(self, coarse: CoarseResult) -> dict[str, list[int]]:
        """List the cells that each criterion would refine, in its order."""
        cell_of = {tuple(box): cell for cell, box in enumerate(self._cells_xyxy.tolist())}
        selectors = {
            name: selector
            for name, selector in self._selectors.items()
            if isinstance(selector, CellSelector)
        }
        most = len(self._cells_xyxy)
        chosen = {
            name: selector.select(coarse, regions=most, refine_below=1.0)
            for name, selector in selectors.items()
        }
        if self._plan.video:
            before = self._temporal.foresee(regions=most, refine_below=1.0)
            chosen[TEMPORAL] = chosen['margin'] if before is None else before
        rankings = {
            name: [cell_of[tuple(box)] for box in selection.boxes_xyxy.tolist()]
            for name, selection in chosen.items()
        }
        return rankings | {RANDOM: self._random.permutation(most).tolist()}

    def _score_windows(self, frame: _Frame) -> dict[Choice, Tally]:
        """Score the criteria that are not bound to cells."""
        tallies = {}
        for name, selector in self._selectors.items():
            if isinstance(selector, CellSelector):
                continue
            # The largest number first: the others' regions are mostly among its own.
            for regions in sorted(self._plan.window_regions, reverse=True):
                boxes_xyxy = selector.select(
                    frame.evidence.coarse, regions=regions, refine_below=1.0
                ).boxes_xyxy
                for fusion in self._plan.window_fusions:
                    counts = count_mask(frame.mask(boxes_xyxy, fusion), frame.areas)
                    choice = Choice(criterion=name, fusion=fusion, regions=regions)
                    tallies[choice] = frame.tally(counts, len(boxes_xyxy))
        return tallies


class _Frame:
    """One image with its truth and what the networks say of it."""

    def __init__(self, networks: StudyNetworks, labelled: LabelledFrame, threshold: float) -> None:
        self.evidence = FrameEvidence(networks, labelled.image_hwc)
        self.areas: Areas = find_areas(labelled.vehicle_hw)
        self._camera_hw = labelled.vehicle_hw.shape[0], labelled.vehicle_hw.shape[1]
        self._threshold = threshold

    def mask(self, boxes_xyxy: Int32Array, fusion: str) -> UInt8Array:
        """Merge and threshold as the pipeline does."""
        fused_hw = self.evidence.enlarged_hw.copy()
        merge_for_study(fused_hw, boxes_xyxy, self.evidence.refined(boxes_xyxy), fusion)
        return threshold_mask(fused_hw, self._camera_hw, self._threshold)

    def tally(self, counts: Int64Array, regions: int) -> Tally:
        return Tally(counts=counts, totals=self.areas.totals, regions=regions)


def _best_cells(change: Int64Array) -> list[int]:
    """Rank the cells where refinement sets more pixels right than wrong, by how many more.

    Pixels set right are vehicle pixels found and false ones removed.
    """
    gain = change[:, TP] - change[:, FP]
    order = np.argsort(-gain, kind='stable')
    return [int(cell) for cell in order if gain[cell] > 0]


def pool(images: Sequence[Mapping[Choice, Tally]]) -> dict[Choice, Tally]:
    """Add the tallies of many images.

    Args:
        images: of each image; the same choices in all, at least one image.

    Returns:
        The sums.
    """
    pooled = dict(images[0])
    for tallies in images[1:]:
        for choice, tally in tallies.items():
            pooled[choice] += tally
    return pooled
