"""The node of record_cost_traces.py: measures every number of regions on every image.

It is the segmenter node, but for the choice of the regions. The environment tells it where to
write (`TRACE_FILE`) and after how many frames (`TRACE_FRAMES`).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from stseg_ros.measure.node.cost_traces import CostTrace, write_trace
from stseg_ros.records import Frame, SegmentationResult
from stseg_ros.ros_node import frame_processor
from stseg_ros.ros_node.budgeted_segmenter import BudgetedSegmenter
from stseg_ros.ros_node.segmenter_node import main

FILE, FRAMES = 'TRACE_FILE', 'TRACE_FRAMES'
MOST = 8
_WARM_UP = 5
_NS_PER_MS = 1e6
_PAUSE_S = 0.004


class TracingSegmenter(BudgetedSegmenter):
    """Gives each frame some number of regions, and measures all others after it."""

    def __init__(self, segmenter: Any) -> None:
        """Measure the first guesses, as setting a budget does."""
        super().__init__(segmenter)
        self._networks = segmenter
        costs_ns = segmenter.time_regions(range(1, MOST + 1))
        self._guess_ms = np.array([costs_ns[count] for count in range(1, MOST + 1)]) / _NS_PER_MS
        self._rng = np.random.default_rng(0)
        self._order: list[int] = []
        self._rows: list[list[float]] = []
        self._frame: Frame | None = None
        self._came_ns = self._elapsed_ns = self._held_up_ns = self._free_ns = 0

    def segment(self, frame: Frame, received_ns: int) -> SegmentationResult:
        """Segment with some number of regions."""
        self._frame, self._came_ns = frame, received_ns
        # What an image waited for the measurements on the one before is no part of its time.
        self._held_up_ns = max(self._free_ns - received_ns, 0)
        self._order = [int(count) for count in self._rng.permutation(MOST) + 1]
        return super().segment(frame, received_ns)

    def learn(self, result: SegmentationResult, latency_ns: int) -> None:
        """Note the frame, and measure the other numbers of regions on it."""
        assert self._frame is not None
        refine_ns = {self._order[0]: result.timing.refine_ns}
        for count in self._order[1:]:
            # A pause, as there is one between two frames.
            time.sleep(_PAUSE_S)
            other = self._networks.segment(self._frame, lambda _, count=count: count)
            refine_ns[count] = other.timing.refine_ns
        after_ns = latency_ns - result.timing.refine_ns - self._elapsed_ns
        refined_ns = [refine_ns[count] for count in range(1, MOST + 1)]
        row_ns = [self._elapsed_ns - self._held_up_ns, after_ns, *refined_ns]
        self._rows.append([nanoseconds / _NS_PER_MS for nanoseconds in row_ns])
        if len(self._rows) == _WARM_UP + int(os.environ[FRAMES]):
            self._write()
        self._free_ns = time.perf_counter_ns()

    def _limit(self, asked: int) -> int:
        self._elapsed_ns = time.perf_counter_ns() - self._came_ns
        self.asked, self.given = asked, self._order[0]
        return self.given

    def _write(self) -> None:
        table = np.array(self._rows[_WARM_UP:])
        trace = CostTrace(
            about={},
            guess_ms=self._guess_ms,
            before_ms=table[:, 0],
            after_ms=table[:, 1],
            refine_ms=table[:, 2:],
        )
        path = Path(os.environ[FILE])
        # At once, for it is waited for.
        scratch = path.with_suffix('.part')
        write_trace(trace, scratch)
        scratch.rename(path)


if __name__ == '__main__':
    # The node's own choice of regions is replaced where the node takes it from.
    setattr(frame_processor, 'BudgetedSegmenter', TracingSegmenter)  # noqa: B010
    main()
