"""The two stages as one graph: one upload, one wait, one mask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stseg_ros.config import SegmenterSettings
from stseg_ros.engines import graph_runner as names
from stseg_ros.engines.graph_runner import FrameGraphSpec, GraphOpener, GraphRunner
from stseg_ros.pipeline.graph_inputs import graph_inputs, graph_spec
from stseg_ros.pipeline.preprocess import check_frame
from stseg_ros.pipeline.segmenter import check_regions
from stseg_ros.pipeline.selectors.cells import grid_boxes_xyxy
from stseg_ros.records import (
    Frame,
    FrameTiming,
    Int32Array,
    RegionSelection,
    SegmentationResult,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from stseg_ros.bundle import Geometry

_WARM_UP_FRAMES = 3

# The eight that a latency budget chooses from, coarse only, and one more.
_GRAPHS_KEPT = 10


class OneGraphSegmenter:
    """Segments frames with one graph each. It belongs to the thread that calls `segment`.

    A graph serves one frame size, one number of regions and one fusion; of those used last a few
    are kept. The threshold, `refine_below` and the channel order may change with every frame.

    `TwoStageSegmenter` gives the same masks up to rounding: see `stseg_ros.frame_graph.build`.

    Attributes:
        geometry: the sizes of the networks.
        backend: name of the inference backend.
        device: what the latest graph runs on.
        backend_note: which backend was taken and why, one line.
        wants_logits: whether results have their logits, which cost a copy; any thread may assign.
    """

    def __init__(
        self,
        *,
        geometry: Geometry,
        open_graph: GraphOpener,
        settings: SegmenterSettings,
        camera_hw: tuple[int, int] | None = None,
        backend_note: str = '',
    ) -> None:
        """Make the graph of one frame size, so that what cannot run is refused here.

        Args:
            geometry: the sizes of the networks.
            open_graph: makes and opens graphs.
            settings: see `settings`.
            camera_hw: the camera image's size if it is known; None takes the working size, and
                the camera's first frame waits for its own graph.
            backend_note: see the class.

        Raises:
            ConfigError: the settings ask for more regions than the refine network takes.
            BundleError: the networks cannot be joined into one graph.
            EngineError: the backend is missing or does not take the graph.
        """
        self.geometry = geometry
        self._open_graph = open_graph
        self._camera_hw = camera_hw or geometry.working_hw
        self._graphs: OrderedDict[FrameGraphSpec, GraphRunner] = OrderedDict()
        self._boxes_xyxy = grid_boxes_xyxy(geometry.grid, geometry.working_hw)
        self.settings = settings
        runner = self._graph(graph_spec(geometry, self._camera_hw, settings))
        self.backend = runner.backend
        self.device = runner.device
        self.wants_logits = True
        self.backend_note = backend_note or f'{runner.backend} on {runner.device}, one graph'

    @property
    def max_regions(self) -> int:
        """The most regions that one frame may refine."""
        return self.geometry.max_regions

    @property
    def settings(self) -> SegmenterSettings:
        """What may change between frames; any thread may assign it at any time.

        Other `regions` or another `fusion` need another graph: the next frame waits for it.
        """
        return self._settings

    @settings.setter
    def settings(self, settings: SegmenterSettings) -> None:
        check_regions(settings, self.geometry)
        self._settings = settings

    def segment(
        self, frame: Frame, limit_regions: Callable[[int], int] | None = None
    ) -> SegmentationResult:
        """Segment one frame.

        Args:
            frame: the camera image, of any size and aspect ratio; one of a new size waits for its
                graph.
            limit_regions: asked before anything is computed: given the most regions that the
                settings allow, it returns how many this frame may refine. Each number has a graph
                of its own.

        Returns:
            The mask at the camera's size with what led to it; the graph holds none of it. Its
            timing knows no stages: `refine_ns` is the whole graph with upload and download, which
            is the part that depends on the number of regions; `preprocess_ns` and `fuse_ns` are
            copies on the host. Waiting for a new graph is not in it.

        Raises:
            FrameError: the frame cannot be used.
            BundleError: a new graph cannot be made.
            EngineError: a new graph cannot be opened, or the graph failed.
        """
        check_frame(frame)
        settings = self._settings
        if limit_regions is not None:
            settings = replace(settings, regions=limit_regions(settings.regions))
        height, width = frame.image_hwc.shape[:2]
        self._camera_hw = height, width
        runner = self._graph(graph_spec(self.geometry, self._camera_hw, settings))
        clock = [time.perf_counter_ns()]

        inputs = graph_inputs(frame, settings)
        clock.append(time.perf_counter_ns())

        outputs = runner.run(inputs, without=self._unwanted())
        clock.append(time.perf_counter_ns())
        self.device = runner.device

        # The runner's arrays are overwritten by the next frame.
        mask_hw = np.array(outputs[names.MASK])
        logit_bytes_hw = (
            np.array(outputs[names.LOGIT_BYTES]) if names.LOGIT_BYTES in outputs else None
        )
        selection = self._selection(outputs, settings)
        clock.append(time.perf_counter_ns())

        preprocess, graph, copies = np.diff(clock).tolist()
        return SegmentationResult(
            mask_hw=mask_hw,
            logit_bytes_hw=logit_bytes_hw,
            selection=selection,
            timing=FrameTiming(preprocess_ns=preprocess, refine_ns=graph, fuse_ns=copies),
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
        )

    def warm_up(self) -> None:
        """Segment black frames, so that the first real one does not pay for first-time work."""
        self._run_black(self._settings)

    def time_regions(self, counts: Iterable[int]) -> dict[int, int]:
        """Make the graphs for these numbers of regions at the latest frame's size, and run them.

        Args:
            counts: numbers of regions, above 0.

        Returns:
            The shortest time of the whole graph by number of regions, ns.

        Raises:
            BundleError: a graph cannot be made.
            EngineError: a graph cannot be opened, or failed.
        """
        return {
            count: min(self._run_black(replace(self._settings, regions=count))) for count in counts
        }

    def close(self) -> None:
        """Close every graph; a second call does nothing.

        Raises:
            EngineError: a graph failed at it; the others are closed all the same.
        """
        with ExitStack() as graphs:
            for runner in self._graphs.values():
                graphs.callback(runner.close)
            self._graphs.clear()

    def _graph(self, spec: FrameGraphSpec) -> GraphRunner:
        """Return the graph of a specification, making it at first need."""
        runner = self._graphs.get(spec)
        if runner is None:
            # First out, then in: a GPU may not have room for one more.
            while len(self._graphs) >= _GRAPHS_KEPT:
                _, oldest = self._graphs.popitem(last=False)
                oldest.close()
            runner = self._graphs[spec] = self._open_graph(spec)
        self._graphs.move_to_end(spec)
        return runner

    def _unwanted(self) -> tuple[str, ...]:
        """Name the outputs that stay on the device."""
        return () if self.wants_logits else (names.LOGIT_BYTES,)

    def _run_black(self, settings: SegmenterSettings) -> list[int]:
        """Run a graph on black images; return its times, ns."""
        runner = self._graph(graph_spec(self.geometry, self._camera_hw, settings))
        inputs = graph_inputs(Frame(image_hwc=np.zeros((*self._camera_hw, 3), np.uint8)), settings)
        clock = [time.perf_counter_ns()]
        for _ in range(_WARM_UP_FRAMES):
            runner.run(inputs, without=self._unwanted())
            clock.append(time.perf_counter_ns())
        return [int(passed) for passed in np.diff(clock)]

    def _selection(
        self, outputs: Mapping[str, npt.NDArray[Any]], settings: SegmenterSettings
    ) -> RegionSelection:
        """Tell which cells were merged; the graph refines K always."""
        chosen: Int32Array = np.asarray(outputs.get(names.CHOSEN, ()), np.int32)
        score = np.asarray(outputs[names.SCORES], np.float32)[chosen]
        if settings.refine_below < 1.0:
            doubtful = score < np.float32(settings.refine_below)
            chosen, score = chosen[doubtful], score[doubtful]
        return RegionSelection(boxes_xyxy=self._boxes_xyxy[chosen], score=score)
