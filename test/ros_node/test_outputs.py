"""Tests of the publishers, and that onlookers' outputs cost nothing without onlookers."""

from __future__ import annotations

import dataclasses
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from builtin_interfaces.msg import Time
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header
from support import vision_stand_in

from stseg_ros.errors import ConfigError
from stseg_ros.records import Frame, FrameTiming, RegionSelection, SegmentationResult
from stseg_ros.ros_node.onlooker_messages import find_messages
from stseg_ros.ros_node.onlooker_outputs import FrameView
from stseg_ros.ros_node.outputs import Outputs

ALWAYS = ['mask', 'frame_timing', '/front/mask/compressed', 'labels', 'confidence', 'overlay']


class FakePublisher:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.subscribers = 0
        self.published: list[Any] = []

    def get_subscription_count(self) -> int:
        return self.subscribers

    def publish(self, message: Any) -> None:
        self.published.append(message)


class FakeNode:
    """Makes publishers that reach nobody."""

    def __init__(self, refused: str = '') -> None:
        self.publishers: dict[str, FakePublisher] = {}
        self.profiles: dict[str, QoSProfile] = {}
        self.destroyed: list[FakePublisher] = []
        self.refused = refused
        self.debug_lines: list[str] = []

    def get_fully_qualified_name(self) -> str:
        return '/front/segmenter'

    def resolve_topic_name(self, topic: str) -> str:
        return f'/front/{topic}'

    def create_publisher(self, _: type, topic: str, qos: QoSProfile, **__: Any) -> FakePublisher:
        if topic == self.refused:
            raise RuntimeError('an unfit QoS')
        self.profiles[topic] = qos
        return self.publishers.setdefault(topic, FakePublisher())

    def destroy_publisher(self, publisher: FakePublisher) -> None:
        self.destroyed.append(publisher)

    def get_logger(self) -> SimpleNamespace:
        return SimpleNamespace(debug=self.debug_lines.append)

    def get_clock(self) -> SimpleNamespace:
        now = SimpleNamespace(to_msg=lambda: Time(sec=12))
        return SimpleNamespace(now=lambda: now)


@pytest.fixture(autouse=True)
def without_optional_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ('vision_msgs', 'visualization_msgs'):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, f'{package}.msg', raising=False)


@pytest.fixture
def with_vision_msgs(without_optional_packages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, 'vision_msgs')
    if find_messages('vision_msgs') is None:
        monkeypatch.setitem(sys.modules, 'vision_msgs', vision_stand_in)
        monkeypatch.setitem(sys.modules, 'vision_msgs.msg', vision_stand_in)


class Unwanted(SegmentationResult):
    """A result that must not be looked at closely."""

    def probability_hw(self) -> np.ndarray:
        raise AssertionError('nobody asked for confidence or vehicles')

    def boxes_in_camera_xyxy(self) -> np.ndarray:
        raise AssertionError('nobody asked for the overlay')


def result(kind: type[SegmentationResult] = SegmentationResult) -> SegmentationResult:
    return kind(
        mask_hw=np.full((4, 6), 255, np.uint8),
        logit_bytes_hw=np.full((4, 6), 160, np.uint8),
        selection=RegionSelection(
            boxes_xyxy=np.zeros((0, 4), np.int32), score=np.zeros(0, np.float32)
        ),
        timing=FrameTiming(),
        stamp_ns=0,
        frame_id='',
    )


def view(kind: type[SegmentationResult] = SegmentationResult) -> FrameView:
    return FrameView(
        header=Header(frame_id='cam'),
        frame=Frame(image_hwc=np.zeros((4, 6, 3), np.uint8)),
        result=result(kind),
        overlay_alpha=0.5,
        vehicle_min_pixels=1,
    )


def test_all_publishers_are_removed() -> None:
    node = FakeNode()
    Outputs(node).destroy()
    assert list(node.publishers) == ALWAYS
    assert node.destroyed == list(node.publishers.values())


def test_what_was_made_before_a_wrong_override_is_removed() -> None:
    node = FakeNode(refused='confidence')
    with pytest.raises(ConfigError, match=r'^confidence: an unfit QoS; look at its qos_overrides'):
        Outputs(node)
    assert list(node.publishers) == ALWAYS[:4]
    assert node.destroyed == list(node.publishers.values())


def test_missing_packages_are_told_for_debugging() -> None:
    node = FakeNode()
    Outputs(node)
    assert [line.split(': ')[1] for line in node.debug_lines] == [
        'vision_msgs is not installed',
        'visualization_msgs is not installed',
    ]


@pytest.mark.usefixtures('with_vision_msgs')
def test_vision_msgs_adds_its_topics() -> None:
    node = FakeNode()
    Outputs(node)
    assert list(node.publishers) == [*ALWAYS, 'vehicles', 'label_info']


def test_each_topic_has_a_profile_of_its_own() -> None:
    # rclpy writes overrides into the profile that it is given.
    node = FakeNode()
    Outputs(node)
    assert len({id(profile) for profile in node.profiles.values()}) == len(ALWAYS)


@pytest.mark.usefixtures('with_vision_msgs')
def test_a_threshold_is_told_once_and_to_whoever_comes_late() -> None:
    node = FakeNode()
    outputs = Outputs(node, ('background', 'car'))
    profile = node.profiles['label_info']
    assert profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
    assert profile.reliability is not ReliabilityPolicy.BEST_EFFORT
    for threshold in (0.5, 0.5, 0.25, 0.25):
        outputs.announce_labels(threshold)
    first, second = node.publishers['label_info'].published
    assert (first.threshold, second.threshold) == (0.5, 0.25)
    assert [entry.class_name for entry in first.class_map] == ['background', 'car']
    assert first.header.stamp.sec == 12


def test_without_vision_msgs_there_is_nothing_to_announce() -> None:
    node = FakeNode()
    Outputs(node).announce_labels(0.5)
    assert not any(publisher.published for publisher in node.publishers.values())


@pytest.mark.usefixtures('with_vision_msgs')
def test_nothing_is_made_that_nobody_wants() -> None:
    node = FakeNode()
    outputs = Outputs(node)
    outputs.publish_wanted(outputs.find_wanted(), view(Unwanted))
    assert not any(publisher.published for publisher in node.publishers.values())


@pytest.mark.usefixtures('with_vision_msgs')
@pytest.mark.parametrize('topic', [*ALWAYS[2:], 'vehicles'])
def test_only_what_is_wanted_is_made(topic: str) -> None:
    node = FakeNode()
    outputs = Outputs(node)
    node.publishers[topic].subscribers = 1
    frame = view()
    outputs.publish_wanted(outputs.find_wanted(), frame)
    published = {name: entry.published for name, entry in node.publishers.items()}
    (message,) = published.pop(topic)
    assert message.header is frame.header
    assert not any(published.values())


def test_masks_and_timings_are_not_what_has_to_be_found() -> None:
    node = FakeNode()
    outputs = Outputs(node)
    node.publishers['mask'].subscribers = node.publishers['frame_timing'].subscribers = 1
    wanted = outputs.find_wanted()
    assert not wanted
    node.publishers['confidence'].subscribers = 1
    assert [output.publisher for output in outputs.find_wanted()] == [
        node.publishers['confidence']
    ]
    # Who subscribed after the frame was segmented gets the next one.
    frame = view(Unwanted)
    bare = dataclasses.replace(frame.result, logit_bytes_hw=None)
    outputs.publish_wanted(wanted, dataclasses.replace(frame, result=bare))
    assert node.publishers['confidence'].published == []


def test_a_timing_names_node_and_hardware() -> None:
    node = FakeNode()
    header = Header(frame_id='cam')
    Outputs(node).publish_timing(header, [('total_ms', '1.5')], 'some CPU')
    (message,) = node.publishers['frame_timing'].published
    assert message.header is header
    (status,) = message.status
    assert status.name == '/front/segmenter: frame timing'
    assert status.hardware_id == 'some CPU'
    assert [(pair.key, pair.value) for pair in status.values] == [('total_ms', '1.5')]
