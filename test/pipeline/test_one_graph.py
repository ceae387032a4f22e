"""Tests of segmenting by one graph: on a runner that records, and on networks known by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import read_tiny_bundle

from stseg_ros.assembly import open_segmenter, resolve_settings
from stseg_ros.bundle import Geometry
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.graph_runner import FrameGraphSpec
from stseg_ros.engines.onnxruntime.graph import OnnxRuntimeGraph
from stseg_ros.errors import ConfigError, EngineError, FrameError
from stseg_ros.frame_graph.opener import graph_opener
from stseg_ros.pipeline.latency_budget import budget_steps
from stseg_ros.pipeline.one_graph import OneGraphSegmenter
from stseg_ros.records import ChannelOrder, Frame

GEOMETRY = Geometry(working_hw=(64, 128), coarse_factor=8, grid=(2, 4), max_regions=12)
SETTINGS = SegmenterSettings(regions=3, fusion='add')
# Cells 6, 1 and 4 are the least confident ones.
SCORES = np.array([0.9, 0.2, 0.8, 0.7, 0.3, 0.6, 0.1, 0.5], np.float32)
RANKED = np.array([6, 1, 4, 7, 5, 3, 2, 0], np.int32)

# Graphs of these sizes cannot be closed.
BROKEN_HW = ((50, 50), (52, 52))


class FakeRunner:
    """Gives the same scores each time and fills the mask with the number of runs so far."""

    backend = 'fake'
    device = 'paper'

    def __init__(self, spec: FrameGraphSpec) -> None:
        self.spec = spec
        self.inputs: list[Mapping[str, np.ndarray]] = []
        self.closed = 0
        self._mask = np.zeros(spec.camera_hw, np.uint8)
        self._logits = np.zeros(GEOMETRY.working_hw, np.uint8)

    def run(
        self, inputs: Mapping[str, np.ndarray], *, without: Collection[str] = ()
    ) -> dict[str, Any]:
        self.inputs.append(dict(inputs))
        # The same memory every time, as runners may.
        self._mask[...] = len(self.inputs)
        self._logits[...] = len(self.inputs)
        outputs = {'mask': self._mask, 'logit_bytes': self._logits, 'scores': SCORES}
        outputs |= {'chosen': RANKED[: self.spec.regions]} if self.spec.regions else {}
        return {name: array for name, array in outputs.items() if name not in without}

    def close(self) -> None:
        self.closed += 1
        if self.spec.camera_hw in BROKEN_HW:
            raise EngineError(f'cannot free {self.spec.camera_hw}')


class FakeOpener:
    def __init__(self) -> None:
        self.opened: list[FakeRunner] = []

    def __call__(self, spec: FrameGraphSpec) -> FakeRunner:
        self.opened.append(FakeRunner(spec))
        return self.opened[-1]

    @property
    def specs(self) -> list[tuple[tuple[int, int], int, str]]:
        return [
            (runner.spec.camera_hw, runner.spec.regions, runner.spec.fusion)
            for runner in self.opened
        ]


@pytest.fixture
def opener() -> FakeOpener:
    return FakeOpener()


@pytest.fixture
def segmenter(opener: FakeOpener) -> OneGraphSegmenter:
    return OneGraphSegmenter(
        geometry=GEOMETRY, open_graph=opener, settings=SETTINGS, camera_hw=(60, 90)
    )


def frame(size_hw: tuple[int, int] = (60, 90), **fields: Any) -> Frame:
    return Frame(image_hwc=np.zeros((*size_hw, 3), np.uint8), **fields)


def test_the_first_graph_is_made_at_once(segmenter: OneGraphSegmenter, opener: FakeOpener) -> None:
    assert opener.specs == [((60, 90), 3, 'add')]
    assert (segmenter.backend, segmenter.device) == ('fake', 'paper')
    segmenter.warm_up()
    segmenter.segment(frame())
    assert len(opener.opened) == 1


def test_what_a_graph_fixes_makes_another_and_the_rest_does_not(
    segmenter: OneGraphSegmenter, opener: FakeOpener
) -> None:
    segmenter.segment(frame((70, 90)))
    segmenter.settings = dataclasses.replace(SETTINGS, fusion='max')
    segmenter.segment(frame())
    segmenter.settings = dataclasses.replace(SETTINGS, regions=0)
    segmenter.segment(frame())
    segmenter.settings = dataclasses.replace(SETTINGS, threshold=0.9, refine_below=0.5)
    segmenter.segment(frame(channel_order=ChannelOrder.BGR))
    assert opener.specs == [
        ((60, 90), 3, 'add'),
        ((70, 90), 3, 'add'),
        ((60, 90), 3, 'max'),
        ((60, 90), 0, 'add'),
    ]


def test_inputs_follow_frame_and_settings(
    segmenter: OneGraphSegmenter, opener: FakeOpener
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)
    image.flags.writeable = False
    view = Frame(image_hwc=image[:, :90], channel_order=ChannelOrder.BGR)
    segmenter.settings = dataclasses.replace(SETTINGS, refine_below=0.25)
    segmenter.segment(view)
    inputs = opener.opened[0].inputs[0]
    np.testing.assert_array_equal(inputs['frame'], image[:, :90])
    assert inputs['frame'].flags.c_contiguous
    assert inputs['channels'].tolist() == [2, 1, 0]
    assert inputs['refine_below'].tolist() == [0.25]
    assert {name: array.dtype.name for name, array in inputs.items()} == {
        'frame': 'uint8',
        'channels': 'int32',
        'threshold_logit': 'float32',
        'refine_below': 'float32',
    }


@pytest.mark.parametrize(
    ('threshold', 'logit'),
    # The host keeps a byte above 128 + 16 x logit, rounded down; half a byte rounds up to it.
    [(0.5, 0.5 / 16), (0.75, (17 + 0.5) / 16), (0.25, (-18 + 0.5) / 16), (0.99999, 126.5 / 16)],
)
def test_the_threshold_is_where_the_hosts_bytes_change(
    segmenter: OneGraphSegmenter, opener: FakeOpener, threshold: float, logit: float
) -> None:
    segmenter.settings = dataclasses.replace(SETTINGS, threshold=threshold)
    segmenter.segment(frame())
    assert opener.opened[0].inputs[0]['threshold_logit'].tolist() == [logit]


def test_without_a_bound_sure_cells_are_merged_too(
    segmenter: OneGraphSegmenter, opener: FakeOpener
) -> None:
    segmenter.segment(frame())
    # A confidence is at most 1, and must be below the bound.
    assert opener.opened[0].inputs[0]['refine_below'] > 1.0


def test_the_selection_names_the_cells(segmenter: OneGraphSegmenter) -> None:
    selection = segmenter.segment(frame()).selection
    # Cells of 32 x 32 in rows of four: 6 is the third of the second row.
    assert selection.boxes_xyxy.tolist() == [[64, 32, 96, 64], [32, 0, 64, 32], [0, 32, 32, 64]]
    np.testing.assert_allclose(selection.score, [0.1, 0.2, 0.3])
    assert (selection.boxes_xyxy.dtype, selection.score.dtype) == (np.int32, np.float32)


def test_only_merged_cells_are_in_the_selection(segmenter: OneGraphSegmenter) -> None:
    segmenter.settings = dataclasses.replace(SETTINGS, refine_below=0.3)
    selection = segmenter.segment(frame()).selection
    np.testing.assert_allclose(selection.score, [0.1, 0.2])
    assert len(selection.boxes_xyxy) == 2
    segmenter.settings = dataclasses.replace(SETTINGS, regions=0)
    assert len(segmenter.segment(frame()).selection) == 0


def test_more_regions_than_cells_are_all_cells(
    segmenter: OneGraphSegmenter, opener: FakeOpener
) -> None:
    segmenter.settings = dataclasses.replace(SETTINGS, regions=12)
    assert len(segmenter.segment(frame()).selection) == 8
    assert opener.opened[-1].spec.regions == 8


def test_results_outlive_the_next_frame(segmenter: OneGraphSegmenter) -> None:
    first = segmenter.segment(frame(stamp_ns=7, frame_id='cam'))
    segmenter.segment(frame())
    assert (first.mask_hw == 1).all()
    assert (first.logit_bytes_hw == 1).all()
    assert (first.stamp_ns, first.frame_id) == (7, 'cam')


def test_logits_stay_where_nobody_wants_them(
    segmenter: OneGraphSegmenter, opener: FakeOpener
) -> None:
    segmenter.wants_logits = False
    lean = segmenter.segment(frame())
    assert lean.logit_bytes_hw is None
    assert (lean.mask_hw == 1).all()
    assert len(lean.selection) == 3
    segmenter.wants_logits = True
    assert segmenter.segment(frame()).wanted_logit_bytes_hw().shape == GEOMETRY.working_hw
    # The same graph serves both: nobody waits for another.
    assert len(opener.opened) == 1


def test_the_graphs_time_is_the_part_that_depends_on_the_regions(
    segmenter: OneGraphSegmenter,
) -> None:
    timing = segmenter.segment(frame()).timing
    assert timing.refine_ns > 0
    assert (timing.coarse_ns, timing.select_ns) == (0, 0)
    assert timing.total_ns == timing.preprocess_ns + timing.refine_ns + timing.fuse_ns


def test_graphs_used_last_are_kept(segmenter: OneGraphSegmenter, opener: FakeOpener) -> None:
    for width in range(91, 101):
        segmenter.segment(frame((60, width)))
    # Eleven by now: the first, not used since, has gone.
    assert [runner.closed for runner in opener.opened] == [1] + [0] * 10
    segmenter.segment(frame((60, 91)))
    segmenter.segment(frame((60, 101)))
    assert [runner.closed for runner in opener.opened] == [1, 0, 1] + [0] * 9


def test_a_frame_may_get_fewer_regions(segmenter: OneGraphSegmenter, opener: FakeOpener) -> None:
    asked = []

    def limit(most: int) -> int:
        asked.append(most)
        return 2

    assert len(segmenter.segment(frame(), limit).selection) == 2
    assert (asked, segmenter.settings.regions) == ([3], 3)
    assert len(segmenter.segment(frame()).selection) == 3


def test_a_latency_budgets_graphs_stay_open(
    segmenter: OneGraphSegmenter, opener: FakeOpener
) -> None:
    counts = budget_steps(GEOMETRY.max_regions)
    segmenter.segment(frame((48, 48)))
    times = segmenter.time_regions(counts)
    assert set(times) == set(counts)
    assert min(times.values()) > 0
    # Made at the camera's size, of the number of cells at most.
    made = {runner.spec for runner in opener.opened[2:]}
    assert {(spec.camera_hw, spec.regions) for spec in made} == {
        ((48, 48), min(count, 8)) for count in counts
    } - {((48, 48), 3)}
    opened = len(opener.opened)
    for count in (0, *counts):
        segmenter.segment(frame((48, 48)), lambda _, count=count: count)
    assert len(opener.opened) == opened + 1


def test_the_device_is_the_latest_graphs(segmenter: OneGraphSegmenter, opener: FakeOpener) -> None:
    segmenter.segment(frame((48, 48)))
    opener.opened[1].device = 'paper, without a recording'
    segmenter.segment(frame((48, 48)))
    assert segmenter.device == 'paper, without a recording'
    segmenter.segment(frame())
    assert segmenter.device == 'paper'


def test_closing_closes_every_graph(segmenter: OneGraphSegmenter, opener: FakeOpener) -> None:
    segmenter.segment(frame((48, 48)))
    segmenter.close()
    segmenter.close()
    assert [runner.closed for runner in opener.opened] == [1, 1]


def test_a_graph_that_cannot_be_closed_does_not_keep_the_others_open(
    segmenter: OneGraphSegmenter, opener: FakeOpener
) -> None:
    for size_hw in (BROKEN_HW[0], (51, 51), BROKEN_HW[1], (53, 53)):
        segmenter.segment(frame(size_hw))
    with pytest.raises(EngineError, match='cannot free'):
        segmenter.close()
    segmenter.close()
    assert [runner.closed for runner in opener.opened] == [1] * 5


def test_settings_are_checked_against_the_bundle(segmenter: OneGraphSegmenter) -> None:
    with pytest.raises(ConfigError, match='at most 12'):
        segmenter.settings = dataclasses.replace(SETTINGS, regions=13)


@pytest.mark.parametrize('shape', [(0, 0, 3), (1, 1, 3), (64, 64)])
def test_unusable_frames_raise(
    segmenter: OneGraphSegmenter, opener: FakeOpener, shape: tuple[int, ...]
) -> None:
    with pytest.raises(FrameError):
        segmenter.segment(Frame(image_hwc=np.zeros(shape, np.uint8)))
    assert len(opener.opened) == 1


@pytest.mark.parametrize('size_hw', [(16, 16), (375, 1242), (901, 333)], ids=str)
def test_masks_are_those_of_the_stages_apart(tmp_path: Path, size_hw: tuple[int, int]) -> None:
    bundle = read_tiny_bundle(tmp_path, coarse_gain=3.0, regions=16)
    config = PipelineConfig(backend='onnxruntime', fusion='max')
    apart = open_segmenter(bundle, config)
    options = EngineOptions(threads=1)
    together = OneGraphSegmenter(
        geometry=bundle.geometry,
        open_graph=graph_opener(bundle, lambda model: OnnxRuntimeGraph(model, options)),
        settings=resolve_settings(bundle, config),
    )
    together.warm_up()
    height, width = size_hw
    image = np.zeros((*size_hw, 3), np.uint8)
    image[height // 4 : height // 2, width // 8 : width // 3, 0] = 200
    for order in ChannelOrder:
        pixels = image if order is ChannelOrder.RGB else np.ascontiguousarray(image[..., ::-1])
        camera = Frame(image_hwc=pixels, channel_order=order)
        expected, actual = apart.segment(camera), together.segment(camera)
        assert expected.mask_hw.any()
        different = np.count_nonzero(expected.mask_hw != actual.mask_hw)
        # Pixels of the border, where rounding decides.
        assert different <= 0.02 * np.count_nonzero(expected.mask_hw)
        steps = actual.logit_bytes_hw.astype(int) - expected.logit_bytes_hw
        assert np.abs(steps).max() <= 3
    together.close()
