"""Tests of one message's way through the node, without ROS around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.image_messages import image

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.config import SegmenterSettings
from stseg_ros.errors import BundleError, EngineError
from stseg_ros.records import Frame, FrameTiming, RegionSelection, SegmentationResult
from stseg_ros.ros_node.frame_processor import FrameProcessor, ReceivedImage
from stseg_ros.ros_node.frame_statistics import FrameStatistics
from stseg_ros.ros_node.onlooker_outputs import FrameView
from stseg_ros.ros_node.parameters import NodeParameters

RED = b'\xff\x00\x00'


class FakeOutputs:
    """Keeps what would be published, in order."""

    def __init__(self) -> None:
        self.published: list[tuple[Any, ...]] = []
        self.thresholds: list[float] = []
        self.broken = ''
        self.onlookers = False

    def encode_mask(self, header: Any, mask_hw: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(header=header, mask_hw=mask_hw)

    def publish_mask(self, message: Any) -> None:
        self.published.append(('mask', message.header))

    def publish_timing(self, header: Any, pairs: list[tuple[str, str]], hardware_id: str) -> None:
        if self.broken == 'timing':
            raise ZeroDivisionError('a bug')
        self.published.append(('timing', header, dict(pairs), hardware_id))

    def find_wanted(self) -> list[str]:
        return ['overlay'] if self.onlookers else []

    def publish_wanted(self, wanted: list[str], view: FrameView) -> None:
        assert wanted == self.find_wanted()
        if self.broken == 'wanted':
            raise ZeroDivisionError('a bug')
        self.published.append(('wanted', view.header, view))

    def announce_labels(self, threshold: float) -> None:
        self.thresholds.append(threshold)


class FakeSegmenter:
    """Finds nothing, or fails as told."""

    device = 'some CPU'

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.settings = SegmenterSettings(regions=6)
        self.timed: list[list[int]] = []
        self.given: list[int] = []

    def time_regions(self, counts: list[int]) -> dict[int, int]:
        self.timed.append(list(counts))
        return {count: count * 10_000_000_000 for count in counts}

    def segment(self, frame: Frame, limit: Callable[[int], int]) -> SegmentationResult:
        if self.errors:
            raise self.errors.pop(0)
        self.given.append(limit(self.settings.regions))
        return SegmentationResult(
            mask_hw=np.zeros(frame.image_hwc.shape[:2], np.uint8),
            logit_bytes_hw=np.zeros((2, 2), np.uint8),
            selection=RegionSelection(
                boxes_xyxy=np.zeros((3, 4), np.int32), score=np.zeros(3, np.float32)
            ),
            timing=FrameTiming(coarse_ns=2_000_000),
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
        )


class FakeLogger:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def warning(self, text: str) -> None:
        self.lines.append(('warning', text))

    def error(self, text: str) -> None:
        self.lines.append(('error', text))


class Rig:
    """A processor between fakes."""

    def __init__(self) -> None:
        self.segmenter, self.outputs = FakeSegmenter(), FakeOutputs()
        self.logger, self.statistics = FakeLogger(), FrameStatistics()
        self.shut_down = False
        self.processor = FrameProcessor(
            segmenter=self.segmenter,
            outputs=self.outputs,
            statistics=self.statistics,
            dropped=lambda: 7,
            parameters=NodeParameters(overlay_alpha=0.3, vehicle_min_pixels=5),
            logger=self.logger,
            is_shut_down=lambda: self.shut_down,
        )

    def process(self, message: Any) -> None:
        self.processor.process(ReceivedImage(message=message, received_ns=0))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def good_message() -> SimpleNamespace:
    return image([RED * 4] * 3, width=4, encoding='rgb8')


@pytest.mark.parametrize('onlookers', [False, True])
def test_logits_are_asked_for_where_somebody_looks(rig: Rig, onlookers: bool) -> None:
    rig.outputs.onlookers = onlookers
    rig.process(good_message())
    assert rig.segmenter.wants_logits is onlookers


def test_mask_first_then_timing_then_the_rest(rig: Rig) -> None:
    message = good_message()
    rig.process(message)
    assert [entry[0] for entry in rig.outputs.published] == ['mask', 'timing', 'wanted']
    assert all(entry[1] is message.header for entry in rig.outputs.published)
    _, _, pairs, hardware_id = rig.outputs.published[1]
    assert (pairs['coarse_ms'], pairs['regions']) == ('2.000', '3')
    assert (pairs['dropped'], pairs['frame']) == ('7', '1')
    # The message is said to have come at time 0 of the clock.
    assert float(pairs['node_ms']) > float(pairs['queue_ms']) > 0
    assert float(pairs['decode_ms']) > 0
    assert hardware_id == 'some CPU'
    assert (pairs['budget_ms'], pairs['regions_asked'], pairs['regions_given']) == (
        '0.000',
        '6',
        '6',
    )
    view = rig.outputs.published[2][2]
    assert (view.overlay_alpha, view.vehicle_min_pixels) == (0.3, 5)
    assert view.frame.image_hwc.shape == (3, 4, 3)
    assert view.result.mask_hw.shape == (3, 4)
    assert rig.logger.lines == []


@pytest.mark.parametrize(
    ('taking_ns', 'told'), [(None, {}), (2_500_000, {'taking_ms': '2.500'})], ids=str
)
def test_where_an_image_was_before_is_told(
    rig: Rig, taking_ns: int | None, told: dict[str, str]
) -> None:
    received = ReceivedImage(message=good_message(), received_ns=5_000_000, taking_ns=taking_ns)
    rig.processor.process(received)
    _, _, pairs, _ = rig.outputs.published[1]
    assert pairs['received_ms'] == '5.000'
    assert {key: pairs[key] for key in pairs if key == 'taking_ms'} == told


def test_the_threshold_is_announced_before_the_first_image_and_when_it_changes(
    rig: Rig,
) -> None:
    rig.processor.prepare()
    assert rig.outputs.thresholds == [0.5]
    rig.segmenter.settings = SegmenterSettings(regions=6, threshold=0.25)
    rig.process(good_message())
    assert rig.outputs.thresholds[-1] == 0.25


def test_a_bad_image_is_skipped_and_counted(rig: Rig) -> None:
    bad = good_message()
    bad.encoding = 'nonsense'
    for _ in range(3):
        rig.process(bad)
    rig.process(good_message())
    window = rig.statistics.read_window()
    assert (window.totals.frames_bad, window.totals.masks_published) == (3, 1)
    ((level, text),) = rig.logger.lines
    assert level == 'warning'
    assert text.startswith("image skipped: encoding 'nonsense' is not supported")


def test_a_network_that_fails_is_given_the_frame_once_more(rig: Rig) -> None:
    rig.segmenter.errors = [EngineError('out of memory')]
    rig.process(good_message())
    assert [entry[0] for entry in rig.outputs.published] == ['mask', 'timing', 'wanted']
    window = rig.statistics.read_window()
    assert (window.totals.frames_retried, window.totals.frames_failed) == (1, 0)
    assert window.failure == ''
    text = 'a network failed, the image is tried once more: out of memory'
    assert rig.logger.lines == [('warning', text)]


def test_a_network_that_fails_twice_ends_it(rig: Rig) -> None:
    rig.segmenter.errors = [EngineError('first'), EngineError('second')]
    with pytest.raises(EngineError, match='second'):
        rig.process(good_message())
    window = rig.statistics.read_window()
    assert (window.totals.frames_retried, window.totals.frames_failed) == (1, 1)
    assert window.failure == 'second'
    assert rig.outputs.published == []


def test_an_unforeseen_error_costs_the_frame_and_a_second_one_ends_it(rig: Rig) -> None:
    rig.segmenter.errors = [ZeroDivisionError('a bug')]
    rig.process(good_message())
    assert rig.outputs.published == []
    assert rig.statistics.read_window().failure == 'ZeroDivisionError: a bug'
    ((level, text),) = rig.logger.lines
    assert level == 'error'
    assert 'ZeroDivisionError: a bug' in text
    assert 'Traceback' in text

    # A mask between the two makes the second a first again.
    rig.process(good_message())
    for _ in range(2):
        rig.segmenter.errors = [ZeroDivisionError('a bug')]
        rig.process(good_message())
        rig.process(good_message())
    rig.segmenter.errors = [ZeroDivisionError('a bug'), ZeroDivisionError('again')]
    rig.process(good_message())
    with pytest.raises(ZeroDivisionError, match='again'):
        rig.process(good_message())
    assert rig.statistics.read_window().totals.frames_failed == 5

    # Once activated again, it begins anew.
    rig.processor.prepare()
    rig.segmenter.errors = [ZeroDivisionError('a bug')]
    rig.process(good_message())


def test_an_unusable_image_between_two_errors_keeps_them_apart(rig: Rig) -> None:
    bad = good_message()
    bad.encoding = 'nonsense'
    rig.segmenter.errors = [ZeroDivisionError('a bug'), ZeroDivisionError('again')]
    for message in (good_message(), bad, good_message()):
        rig.process(message)
    assert rig.segmenter.errors == []
    assert rig.statistics.read_window().totals.frames_failed == 2


def test_a_graph_that_cannot_be_made_ends_it_at_once(rig: Rig) -> None:
    rig.segmenter.errors = [BundleError('no graph')]
    with pytest.raises(BundleError, match='no graph'):
        rig.process(good_message())
    window = rig.statistics.read_window()
    assert (window.totals.frames_retried, window.totals.frames_failed) == (0, 1)
    assert window.failure == 'no graph'


@pytest.mark.parametrize(
    ('broken', 'published'), [('timing', ['mask']), ('wanted', ['mask', 'timing'])]
)
def test_what_fails_after_the_mask_costs_nothing_else(
    rig: Rig, broken: str, published: list[str]
) -> None:
    rig.outputs.broken = broken
    for _ in range(3):
        rig.process(good_message())
    assert [entry[0] for entry in rig.outputs.published] == 3 * published
    window = rig.statistics.read_window()
    assert (window.totals.masks_published, window.totals.frames_failed) == (3, 0)
    assert window.failure == ''
    ((level, text),) = rig.logger.lines
    assert level == 'error'
    assert text.startswith(
        'a topic beside the mask not published: ZeroDivisionError: a bug\nTraceback'
    )


def test_publishing_after_the_mask_fails_while_ros_shuts_down(rig: Rig) -> None:
    rig.outputs.broken, rig.shut_down = 'wanted', True
    with pytest.raises(ZeroDivisionError):
        rig.process(good_message())
    assert rig.logger.lines == []
    assert rig.statistics.read_window().totals.frames_failed == 0


def test_a_frame_that_cannot_be_learned_from_is_published_and_counted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError('a bug')

    monkeypatch.setattr(rig.processor._segmenter, 'learn', fail)
    rig.process(good_message())
    totals = rig.statistics.read_window().totals
    assert (totals.masks_published, totals.frames_failed) == (1, 0)
    assert rig.outputs.published[0][0] == 'mask'


def test_an_error_while_ros_shuts_down_is_not_reported(rig: Rig) -> None:
    rig.shut_down = True
    rig.segmenter.errors = [RuntimeError('no context')]
    with pytest.raises(RuntimeError):
        rig.process(good_message())
    assert rig.logger.lines == []


def timing(rig: Rig) -> dict[str, str]:
    return [entry for entry in rig.outputs.published if entry[0] == 'timing'][-1][2]


def test_the_budget_takes_regions_away_and_tells_it(rig: Rig) -> None:
    # By the fake's times even one region takes 10 s, and the message came just now.
    rig.processor.parameters = NodeParameters(latency_budget_ms=5000.0)
    rig.processor.prepare()
    message = ReceivedImage(message=good_message(), received_ns=time.perf_counter_ns())
    rig.processor.process(message)
    assert rig.segmenter.given == [0]
    pairs = timing(rig)
    assert (pairs['budget_ms'], pairs['regions_asked']) == ('5000.000', '6')
    assert pairs['regions_given'] == '0'
    window = rig.statistics.read_window()
    assert (window.totals.masks_cut, window.totals.masks_late) == (1, 0)

    rig.processor.parameters = NodeParameters(latency_budget_ms=0.0)
    rig.process(good_message())
    assert rig.segmenter.given == [0, 6]
    assert timing(rig)['budget_ms'] == '0.000'
    assert rig.statistics.read_window().totals.masks_late == 0


def test_a_late_mask_is_counted(rig: Rig) -> None:
    rig.processor.parameters = NodeParameters(latency_budget_ms=1.0)
    # The message is said to have come at time 0 of the clock.
    rig.process(good_message())
    assert rig.statistics.read_window().totals.masks_late == 1


def test_batch_sizes_are_prepared_once_and_before_the_first_frame(rig: Rig) -> None:
    rig.processor.prepare()
    assert rig.segmenter.timed == []
    rig.processor.parameters = NodeParameters(latency_budget_ms=50.0)
    rig.processor.prepare()
    assert rig.segmenter.timed == [[1, 2, 3, 4, 5, 6]]
    rig.process(good_message())
    assert len(rig.segmenter.timed) == 1
    # More regions are asked for while the node runs.
    rig.segmenter.settings = SegmenterSettings(regions=8)
    rig.process(good_message())
    assert rig.segmenter.timed == [[1, 2, 3, 4, 5, 6], [7, 8]]


def test_the_log_throttle_follows_the_parameter(rig: Rig) -> None:
    rig.processor.parameters = NodeParameters(log_throttle_s=0.0)
    bad = good_message()
    bad.data = bad.data[:-1]
    for _ in range(3):
        rig.process(bad)
    assert len(rig.logger.lines) == 3
