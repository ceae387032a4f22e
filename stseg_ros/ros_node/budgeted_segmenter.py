"""The segmenter under the node's latency budget."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stseg_ros.pipeline.latency_budget import LatencyBudget, budget_steps

if TYPE_CHECKING:
    from stseg_ros.pipeline.segmenter import Segmenter
    from stseg_ros.records import Frame, SegmentationResult

_NS_PER_MS = 1e6


class BudgetedSegmenter:
    """Segments each frame with as many regions as its time allows; of the inference thread.

    Attributes:
        budget_ms: the budget of the latest frame; 0 is none.
        asked: the most regions that the settings allowed the latest frame.
        given: the most regions that it got; fewer were refined where fewer were doubtful.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        """Start without a budget.

        Args:
            segmenter: the open segmenter.
        """
        self._segmenter = segmenter
        self._budget: LatencyBudget | None = None
        self._prepared: set[int] = set()
        self._received_ns = 0
        self.budget_ms = 0.0
        self.asked = self.given = 0

    @property
    def device(self) -> str:
        """What the networks run on."""
        return self._segmenter.device

    def prepare(self, budget_ms: float) -> None:
        """Set the budget, and have the backend prepare the batch sizes that it may choose.

        Some backends prepare a size when it first comes, which takes longer than most budgets.

        Args:
            budget_ms: the budget; 0 is none.

        Raises:
            EngineError: the refine network failed.
        """
        self.budget_ms = budget_ms
        if not budget_ms:
            return
        sizes = set(budget_steps(self._segmenter.settings.regions))
        if not sizes <= self._prepared:
            costs_ns = self._segmenter.time_regions(sorted(sizes - self._prepared))
            self._prepared |= sizes
            if self._budget is None:
                self._budget = LatencyBudget(0.0, costs_ns)
            else:
                self._budget.expect(costs_ns)
        if self._budget is not None:
            self._budget.budget_ns = budget_ms * _NS_PER_MS

    def segment(self, frame: Frame, received_ns: int) -> SegmentationResult:
        """Segment one frame.

        Args:
            frame: the camera image.
            received_ns: `time.perf_counter_ns` at the arrival of its message.

        Returns:
            See `Segmenter.segment`.

        Raises:
            FrameError: the frame cannot be used.
            EngineError: a network failed.
        """
        self._received_ns = received_ns
        return self._segmenter.segment(frame, self._limit)

    def learn(self, result: SegmentationResult, latency_ns: int) -> None:
        """Learn from the latest frame.

        Args:
            result: its segmentation, published by now.
            latency_ns: from the arrival of its message to having published its mask.
        """
        if self.budget_ms and self._budget is not None and self.asked:
            regions = len(result.selection)
            self._budget.learn(result.timing, regions=regions, total_ns=latency_ns)

    def _limit(self, asked: int) -> int:
        """Tell how many regions the frame may get whose coarse result is there."""
        self.asked = self.given = asked
        if self.budget_ms and self._budget is not None and asked:
            elapsed_ns = time.perf_counter_ns() - self._received_ns
            self.given = self._budget.regions_for(elapsed_ns, asked)
        return self.given
