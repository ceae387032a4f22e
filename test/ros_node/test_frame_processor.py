"""Tests of one message's way through the node, without ROS around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.image_messages import image

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.errors import EngineError
from stseg_ros.records import Frame, FrameTiming, RegionSelection, SegmentationResult
from stseg_ros.ros_node.frame_processor import FrameProcessor, ReceivedImage
from stseg_ros.ros_node.frame_statistics import FrameStatistics
from stseg_ros.ros_node.parameters import NodeParameters

RED = b'\xff\x00\x00'


class FakeOutputs:
    """Keeps what would be published, in order."""

    def __init__(self) -> None:
        self.published: list[tuple[Any, ...]] = []

    def encode_mask(self, header: Any, mask_hw: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(header=header, mask_hw=mask_hw)

    def publish_mask(self, message: Any) -> None:
        self.published.append(('mask', message.header))

    def publish_timing(self, header: Any, pairs: list[tuple[str, str]], hardware_id: str) -> None:
        self.published.append(('timing', header, dict(pairs), hardware_id))

    def publish_wanted(self, header: Any, *what: Any) -> None:
        self.published.append(('wanted', header, what[-1]))


class FakeSegmenter:
    """Finds nothing, or fails as told."""

    device = 'some CPU'

    def __init__(self) -> None:
        self.error: Exception | None = None

    def segment(self, frame: Frame) -> SegmentationResult:
        if self.error is not None:
            raise self.error
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
        self.processor = FrameProcessor(
            segmenter=self.segmenter,
            outputs=self.outputs,
            statistics=self.statistics,
            dropped=lambda: 7,
            parameters=NodeParameters(overlay_alpha=0.3),
            logger=self.logger,
        )

    def process(self, message: Any) -> None:
        self.processor.process(ReceivedImage(message=message, received_ns=0))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def good_message() -> SimpleNamespace:
    return image([RED * 4] * 3, width=4, encoding='rgb8')


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
    assert rig.outputs.published[2][2] == pytest.approx(0.3)
    assert rig.logger.lines == []


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


def test_an_engines_failure_costs_the_frame_and_is_an_error(rig: Rig) -> None:
    rig.segmenter.error = EngineError('openvino failed: out of memory')
    rig.process(good_message())
    rig.process(good_message())
    window = rig.statistics.read_window()
    assert window.totals.frames_failed == 2
    assert window.failure == 'openvino failed: out of memory'
    assert rig.logger.lines == [('error', 'image lost: openvino failed: out of memory')]
    assert rig.outputs.published == []
    rig.segmenter.error = None
    rig.process(good_message())
    assert rig.statistics.read_window().failure == ''


def test_an_unforeseen_error_is_not_hidden(rig: Rig) -> None:
    rig.segmenter.error = ZeroDivisionError('a bug')
    with pytest.raises(ZeroDivisionError):
        rig.process(good_message())


def test_the_log_throttle_follows_the_parameter(rig: Rig) -> None:
    rig.processor.parameters = NodeParameters(log_throttle_s=0.0)
    bad = good_message()
    bad.data = bad.data[:-1]
    for _ in range(3):
        rig.process(bad)
    assert len(rig.logger.lines) == 3
