"""Tests of the messages, and that onlookers' outputs cost nothing without onlookers."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from std_msgs.msg import Header

from stseg_ros.errors import ConfigError
from stseg_ros.records import Frame, FrameTiming, RegionSelection, SegmentationResult
from stseg_ros.ros_node.outputs import ImageBuffer, Outputs


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
        self.destroyed: list[FakePublisher] = []
        self.refused = refused

    def get_fully_qualified_name(self) -> str:
        return '/front/segmenter'

    def create_publisher(self, _: type, topic: str, *__: Any, **___: Any) -> FakePublisher:
        if topic == self.refused:
            raise RuntimeError('an unfit QoS')
        return self.publishers.setdefault(topic, FakePublisher())

    def destroy_publisher(self, publisher: FakePublisher) -> None:
        self.destroyed.append(publisher)


class Unwanted(SegmentationResult):
    """A result that must not be looked at closely."""

    def label_confidence_hw(self) -> np.ndarray:
        raise AssertionError('nobody asked for the confidence')

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


FRAME = Frame(image_hwc=np.zeros((4, 6, 3), np.uint8))


def test_all_publishers_are_removed() -> None:
    node = FakeNode()
    Outputs(node).destroy()
    assert node.destroyed == list(node.publishers.values())
    assert len(node.destroyed) == 4


def test_what_was_made_before_a_wrong_override_is_removed() -> None:
    node = FakeNode(refused='confidence')
    with pytest.raises(ConfigError, match=r'^confidence: an unfit QoS; look at its qos_overrides'):
        Outputs(node)
    assert node.destroyed == [node.publishers['mask'], node.publishers['frame_timing']]


def test_nothing_is_made_that_nobody_wants() -> None:
    node = FakeNode()
    Outputs(node).publish_wanted(Header(), FRAME, result(Unwanted), 0.5)
    assert not any(publisher.published for publisher in node.publishers.values())


@pytest.mark.parametrize(
    ('topic', 'encoding', 'first_byte'),
    # The logit 2 is a probability of 0.8808, times 255; half of the blue 255 over black is 128.
    [('confidence', 'mono8', 225), ('overlay', 'bgr8', None)],
)
def test_only_what_is_wanted_is_made(topic: str, encoding: str, first_byte: int | None) -> None:
    node = FakeNode()
    outputs = Outputs(node)
    node.publishers[topic].subscribers = 1
    header = Header(frame_id='cam')
    outputs.publish_wanted(header, FRAME, result(), 0.5)
    published = {name: len(entry.published) for name, entry in node.publishers.items()}
    assert published == {'mask': 0, 'frame_timing': 0, 'confidence': 0, 'overlay': 0, topic: 1}
    (message,) = node.publishers[topic].published
    assert message.encoding == encoding
    assert message.header is header
    if first_byte is not None:
        assert message.data[0] == first_byte


def test_an_image_buffer_is_refilled_and_follows_the_size() -> None:
    buffer = ImageBuffer('bgr8')
    first = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    message = buffer.fill(Header(frame_id='a'), first)
    assert (message.height, message.width, message.step) == (2, 4, 12)
    assert isinstance(message.data, array.array)
    assert message.data.tobytes() == first.tobytes()
    data = message.data
    second = first[:, ::-1]
    assert buffer.fill(Header(frame_id='b'), second).data is data
    assert data.tobytes() == second.tobytes()
    assert message.header.frame_id == 'b'
    message = buffer.fill(Header(), np.zeros((5, 1, 3), np.uint8))
    assert (message.height, message.width, message.step, len(message.data)) == (5, 1, 3, 15)


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
