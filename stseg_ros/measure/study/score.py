"""Every criterion, fusion and number of regions on one frame, and their pooling over many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stseg_ros.config import LEARNED
from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.learned.held_out_frame import everywhere_refined
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
from stseg_ros.pipeline.merge_table import LEVELS, MergeTable
from stseg_ros.pipeline.selectors.cell_gain import CellGain
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
        table: of fusion 'learned'.
        gain: of criterion 'learned', which is left out without it.
        learned_windows: numbers of regions of windows merged by 'learned'.
        only_learned: whether only choices with a learned criterion or fusion are scored.
    """

    regions: tuple[int, ...]
    fusions: tuple[str, ...]
    window_fusions: tuple[str, ...]
    window_regions: tuple[int, ...]
    threshold: float = 0.5
    video: bool = False
    table: MergeTable | None = None
    gain: CellGain | None = None
    learned_windows: tuple[int, ...] = ()
    only_learned: bool = False


class FrameStudy:
    """Scores frame by frame. It belongs to one set: it remembers the frame before.

    Attributes:
        merge_counts: (2, 256, 256) int64, what `learned.fit_merge` takes, of all frames so far, in
            as many regions as the plan merges windows by 'learned'; 0 where it does not.
    """

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
        if plan.gain is not None:
            self._selectors[LEARNED] = make_selector(LEARNED, geometry, plan.gain)
        self._temporal = TemporalSelector(make_selector('margin', geometry))
        self._random = np.random.default_rng(0)
        self.merge_counts: Int64Array = np.zeros((2, LEVELS, LEVELS), np.int64)

    def score(self, labelled: LabelledFrame) -> dict[Choice, Tally]:
        """Score every choice on one image.

        Args:
            labelled: the image; of a video the one after the last.

        Returns:
            One tally per choice; the coarse network alone has no fusion and 0 regions.

        Raises:
            EngineError: a network failed.
        """
        frame = _Frame(self._networks, labelled, self._plan)
        coarse_mask_hw = frame.mask(self._cells_xyxy[:0], 'add')
        coarse_counts = count_cells(coarse_mask_hw, frame.areas, self._grid)
        coarse_only = frame.tally(coarse_counts.sum(axis=0), 0)
        tallies = {}
        if not self._plan.only_learned:
            tallies[Choice(criterion=COARSE, fusion='', regions=0)] = coarse_only
        rankings = self._rank_cells(frame.evidence.coarse)
        for fusion in self._plan.fusions:
            refined_mask_hw = frame.mask(self._cells_xyxy, fusion)
            change = count_cells(refined_mask_hw, frame.areas, self._grid) - coarse_counts
            rankings[ORACLE] = _best_cells(change)
            for criterion, cells in rankings.items():
                if not self._is_wanted(criterion, fusion):
                    continue
                for regions in self._plan.regions:
                    chosen = cells[:regions]
                    counts = coarse_only.counts + change[chosen].sum(axis=0)
                    choice = Choice(criterion=criterion, fusion=fusion, regions=regions)
                    tallies[choice] = frame.tally(counts, len(chosen))
        tallies |= self._score_windows(frame)
        for regions in self._plan.learned_windows:
            refined = everywhere_refined(self._networks, frame.evidence, labelled)
            self.merge_counts += refined.merge_counts(regions)
        self._temporal.observe(frame.evidence.coarse)
        return tallies

    def _is_wanted(self, criterion: str, fusion: str) -> bool:
        return not self._plan.only_learned or LEARNED in (criterion, fusion)

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
            fusions = self._window_fusions()
            for regions in sorted(fusions, reverse=True):
                boxes_xyxy = selector.select(
                    frame.evidence.coarse, regions=regions, refine_below=1.0
                ).boxes_xyxy
                for fusion in fusions[regions]:
                    counts = count_mask(frame.mask(boxes_xyxy, fusion), frame.areas)
                    choice = Choice(criterion=name, fusion=fusion, regions=regions)
                    tallies[choice] = frame.tally(counts, len(boxes_xyxy))
        return tallies

    def _window_fusions(self) -> dict[int, list[str]]:
        """List the fusions of windows by their number."""
        fusions: dict[int, list[str]] = {}
        if not self._plan.only_learned:
            for regions in self._plan.window_regions:
                fusions[regions] = list(self._plan.window_fusions)
        for regions in self._plan.learned_windows:
            fusions.setdefault(regions, []).append(LEARNED)
        return fusions


class _Frame:
    """One image with its truth and what the networks say of it."""

    def __init__(self, networks: StudyNetworks, labelled: LabelledFrame, plan: StudyPlan) -> None:
        self.evidence = FrameEvidence(networks, labelled.image_hwc)
        self.areas: Areas = find_areas(labelled.vehicle_hw)
        self._camera_hw = labelled.vehicle_hw.shape[0], labelled.vehicle_hw.shape[1]
        self._plan = plan

    def mask(self, boxes_xyxy: Int32Array, fusion: str) -> UInt8Array:
        """Merge and threshold as the pipeline does."""
        fused_hw = self.evidence.enlarged_hw.copy()
        refined_khw = self.evidence.refined(boxes_xyxy)
        merge_for_study(fused_hw, boxes_xyxy, refined_khw, fusion, self._plan.table)
        return threshold_mask(fused_hw, self._camera_hw, self._plan.threshold)

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
