"""What `run_on_nvidia.py` runs: every mode of a bundle on every backend, in both precisions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from nvidia_measure import Segmenter, compare, time_stages

from stseg_ros.assembly import open_segmenter, resolve_settings
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import GRID, PipelineConfig
from stseg_ros.engines.backends import open_graph
from stseg_ros.engines.engine_protocol import FLOAT32, EngineOptions
from stseg_ros.frame_graph.opener import graph_opener
from stseg_ros.measure.benchmark.cases import size_name
from stseg_ros.measure.whole_frame import WholeFrameSegmenter
from stseg_ros.pipeline.one_graph import OneGraphSegmenter
from stseg_ros.records import Frame, SegmentationResult

TWO_STAGE, ONE_GRAPH, WHOLE = 'two_stage', 'one_graph', 'whole'
REFERENCE = 'onnxruntime'
PRECISIONS = ('default', FLOAT32)

# A mask agrees with the reference's where its Dice is no less than the first, the bounds of
# test/engines/test_engine_parity.py, or where no larger share of the frame's pixels than the
# second differs: the Dice of a small mask falls far for a few pixels of its border.
LEAST_DICE = {'default': 0.97, FLOAT32: 0.9999}
FEW_PIXELS = {'default': 0.0005, FLOAT32: 0.00002}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table to be.

    Attributes:
        backend: a name in `BACKENDS`.
        precision: 'default' or 'float32'.
        mode: 'two_stage', 'one_graph' or 'whole'.
        regions: the most regions refined; 0 in the mode 'whole'.
        size_hw: size of the frames.
        selector: chooses the regions; None as the bundle says, or as one graph does.
    """

    backend: str
    precision: str
    mode: str
    regions: int
    size_hw: tuple[int, int]
    selector: str | None = None

    @property
    def chosen_by(self) -> str | None:
        """What chooses the regions; None as the bundle says."""
        return GRID if self.mode == ONE_GRAPH else self.selector

    def facts(self) -> dict[str, Any]:
        """Describe the case in plain values for JSON."""
        return {
            'backend': self.backend,
            'precision': self.precision,
            'mode': self.mode,
            'regions': self.regions,
            'size': size_name(self.size_hw),
        }


def list_cases(
    bundle: ModelBundle, backends: Sequence[str], sizes_hw: Sequence[tuple[int, int]]
) -> list[Case]:
    """List what is run of a bundle.

    Args:
        bundle: with a whole-frame network where that can be had.
        backends: names in `BACKENDS`.
        sizes_hw: sizes of the frames.

    Returns:
        The cases, one backend after the other.
    """
    usual, most = resolve_settings(bundle, PipelineConfig()).regions, bundle.geometry.max_regions
    modes = [(TWO_STAGE, regions) for regions in sorted({0, usual, most})]
    modes.append((ONE_GRAPH, usual))
    if bundle.whole_path is not None:
        modes.append((WHOLE, 0))
    return [
        Case(backend=backend, precision=precision, mode=mode, regions=regions, size_hw=size_hw)
        for backend in backends
        for precision in PRECISIONS
        for size_hw in sizes_hw
        for mode, regions in modes
    ]


class CaseRunner:
    """Runs cases on the same frames, against the same reference."""

    def __init__(
        self,
        bundle: ModelBundle,
        frames: dict[tuple[int, int], list[Frame]],
        *,
        timed: int,
        whole_is_enlarged: bool,
    ) -> None:
        """Take what all cases share.

        Args:
            bundle: the bundle.
            frames: by size.
            timed: how many frames are timed.
            whole_is_enlarged: whether the whole-frame network was not trained as one, so that its
                masks mean nothing and need not agree.
        """
        self._bundle, self._frames, self._timed = bundle, frames, timed
        self._whole_is_enlarged = whole_is_enlarged
        self._references: dict[Case, list[SegmentationResult]] = {}

    def run(self, case: Case) -> dict[str, Any]:
        """Compare and time one case.

        Args:
            case: the case.

        Returns:
            Its description, what it runs on, how masks compare, `agrees` (None where they need
            not), and `ms` by stage.

        Raises:
            StsegError: it does not open, or failed.
        """
        frames, references = self._frames[case.size_hw], self._reference(case)
        with opened(self._bundle, case) as segmenter:
            # One graph samples the image in other arithmetic, so that near ties fall otherwise.
            precision = 'default' if case.mode == ONE_GRAPH else case.precision
            facts = compare(
                segmenter,
                frames,
                references,
                least_dice=LEAST_DICE[precision],
                few_pixels=FEW_PIXELS[precision],
            )
            facts['ms'] = time_stages(segmenter, frames, self._timed)
            facts['device'] = getattr(segmenter, 'device', case.backend)
        if case.mode == WHOLE and self._whole_is_enlarged:
            facts['agrees'] = None
        return {**case.facts(), **facts}

    def _reference(self, case: Case) -> list[SegmentationResult]:
        """Segment the case's frames with the reference, at first need."""
        # Of the two stages, one graph too: that it says the same is part of the test.
        mode = WHOLE if case.mode == WHOLE else TWO_STAGE
        exact = dataclasses.replace(
            case, backend=REFERENCE, precision=FLOAT32, mode=mode, selector=case.chosen_by
        )
        if exact not in self._references:
            with opened(self._bundle, exact) as segmenter:
                self._references[exact] = [
                    segmenter.segment(frame) for frame in self._frames[case.size_hw]
                ]
        return self._references[exact]


@contextmanager
def opened(bundle: ModelBundle, case: Case) -> Iterator[Segmenter]:
    """Open a bundle as a case says.

    Args:
        bundle: the bundle.
        case: the case.

    Yields:
        What segments.

    Raises:
        StsegError: it does not open.
    """
    config = PipelineConfig(
        backend=case.backend,
        precision=case.precision,
        regions=case.regions,
        selector=case.chosen_by,
    )
    settings = resolve_settings(bundle, config)
    if case.mode == TWO_STAGE:
        with closing(open_segmenter(bundle, config)) as two_stage:
            yield two_stage
    elif case.mode == ONE_GRAPH:
        options = EngineOptions(precision=case.precision)
        opener = graph_opener(bundle, lambda model: open_graph(case.backend, model, options))
        one_graph = OneGraphSegmenter(
            geometry=bundle.geometry, open_graph=opener, settings=settings, camera_hw=case.size_hw
        )
        with closing(one_graph):
            yield one_graph
    else:
        with closing(WholeFrameSegmenter(bundle, case.backend, config)) as whole:
            yield WithThreshold(whole, settings.threshold)


class WithThreshold:
    """The whole-frame baseline with its threshold fixed."""

    wants_logits = True

    def __init__(self, whole: WholeFrameSegmenter, threshold: float) -> None:
        """Join the two."""
        self._whole, self._threshold = whole, threshold

    def segment(self, frame: Frame) -> SegmentationResult:
        """Segment one frame."""
        return self._whole.segment(frame, self._threshold)
