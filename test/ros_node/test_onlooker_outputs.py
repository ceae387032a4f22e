"""Tests of what is made of a frame for onlookers."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from std_msgs.msg import Header
from support import vision_stand_in

from stseg_ros.records import Frame, FrameTiming, RegionSelection, SegmentationResult
from stseg_ros.ros_node.onlooker_messages import find_messages
from stseg_ros.ros_node.onlooker_outputs import FrameView, OnlookerOutput, onlooker_outputs

EVERYWHERE = ['mask/compressed', 'labels', 'confidence', 'overlay']


@pytest.fixture
def with_vision_msgs(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_messages('vision_msgs') is None:
        monkeypatch.setitem(sys.modules, 'vision_msgs', vision_stand_in)
        monkeypatch.setitem(sys.modules, 'vision_msgs.msg', vision_stand_in)


def view() -> FrameView:
    """Return a frame of 4 x 6 with two vehicles, of six pixels and of one."""
    mask_hw = np.zeros((4, 6), np.uint8)
    mask_hw[0:2, 0:3] = 255
    mask_hw[3, 5] = 255
    # The logits 2 and -1 are probabilities of 0.881 and 0.269.
    logit_bytes_hw = np.where(mask_hw > 0, 128 + 32, 128 - 16).astype(np.uint8)
    result = SegmentationResult(
        mask_hw=mask_hw,
        logit_bytes_hw=logit_bytes_hw,
        selection=RegionSelection(
            boxes_xyxy=np.array([[0, 0, 3, 2]], np.int32), score=np.zeros(1, np.float32)
        ),
        timing=FrameTiming(),
        stamp_ns=0,
        frame_id='',
    )
    return FrameView(
        header=Header(frame_id='camera'),
        frame=Frame(image_hwc=np.zeros((4, 6, 3), np.uint8)),
        result=result,
        overlay_alpha=1.0,
        vehicle_min_pixels=2,
    )


def made(topic: str, class_id: int = 1) -> Any:
    outputs, _ = onlooker_outputs(class_id)
    (output,) = (entry for entry in outputs if entry.topic == topic)
    frame = view()
    message = output.make(frame)
    assert isinstance(message, output.message_type)
    assert message.header is frame.header
    return message


def names(outputs: list[OnlookerOutput]) -> list[str]:
    return [output.topic for output in outputs]


def test_packages_that_are_missing_leave_out_their_topics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for package in ('vision_msgs', 'visualization_msgs'):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, f'{package}.msg', raising=False)
    outputs, left_out = onlooker_outputs(1)
    assert names(outputs) == EVERYWHERE
    assert left_out == [
        'no topics label_info and vehicles: vision_msgs is not installed',
        'no topic regions: visualization_msgs is not installed',
    ]


@pytest.mark.usefixtures('with_vision_msgs')
def test_all_topics_where_all_packages_are() -> None:
    pytest.importorskip('visualization_msgs.msg')
    outputs, left_out = onlooker_outputs(1)
    assert names(outputs) == [*EVERYWHERE, 'vehicles', 'regions']
    assert left_out == []


@pytest.mark.parametrize('class_id', [1, 2, 11])
def test_labels_are_class_numbers(class_id: int) -> None:
    message = made('labels', class_id)
    assert (message.encoding, message.height, message.width) == ('mono8', 4, 6)
    pixels = np.frombuffer(message.data, np.uint8).reshape(4, 6)
    expected = [[class_id] * 3 + [0] * 3] * 2 + [[0] * 6, [0] * 5 + [class_id]]
    assert pixels.tolist() == expected


def test_confidence_is_that_of_the_label() -> None:
    message = made('confidence')
    # 0.881 of vehicle, and 1 - 0.269 of no vehicle.
    assert sorted(set(message.data)) == [186, 225]
    assert message.data[0] == 225


def test_the_overlay_shows_the_vehicles() -> None:
    message = made('overlay')
    assert (message.encoding, message.step) == ('bgr8', 18)
    pixels = np.frombuffer(message.data, np.uint8).reshape(4, 6, 3)
    assert pixels[3, 0].tolist() == [0, 0, 0]
    assert pixels[3, 5].any()


def test_a_compressed_mask_is_png() -> None:
    assert made('mask/compressed').data.tobytes().startswith(b'\x89PNG')


@pytest.mark.usefixtures('with_vision_msgs')
def test_vehicles_are_those_large_enough() -> None:
    (detection,) = made('vehicles', class_id=2).detections
    (result,) = detection.results
    assert result.hypothesis.class_id == '2'
    assert result.hypothesis.score == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-4)
    centre = detection.bbox.center.position
    assert (centre.x, centre.y) == (1.5, 1.0)
    assert (detection.bbox.size_x, detection.bbox.size_y) == (3.0, 2.0)


def test_regions_are_the_refined_ones() -> None:
    pytest.importorskip('visualization_msgs.msg')
    points = {(point.x, point.y) for point in made('regions').points}
    assert points == {(0, 0), (3, 0), (3, 2), (0, 2)}
