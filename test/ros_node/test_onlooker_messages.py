"""Tests of boxes, regions and class names as messages.

Where vision_msgs is installed its own classes are filled, else classes with the same fields.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from std_msgs.msg import Header
from support import vision_stand_in

from stseg_ros.pipeline.vehicle_boxes import VehicleBoxes
from stseg_ros.ros_node.onlooker_messages import (
    detections,
    find_messages,
    label_info,
    region_marker,
)


@pytest.fixture
def vision_msgs() -> Any:
    return find_messages('vision_msgs') or vision_stand_in


def test_a_package_that_is_there_and_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from sensor_msgs.msg import Image

    assert find_messages('sensor_msgs').Image is Image
    monkeypatch.setitem(sys.modules, 'vision_msgs', None)
    monkeypatch.delitem(sys.modules, 'vision_msgs.msg', raising=False)
    assert find_messages('vision_msgs') is None


def test_label_info_numbers_the_classes_from_zero(vision_msgs: Any) -> None:
    header = Header(frame_id='x')
    message = label_info(vision_msgs, header, ('background', 'vehicle'), 0.25)
    assert message.header is header
    named = [(entry.class_id, entry.class_name) for entry in message.class_map]
    assert named == [(0, 'background'), (1, 'vehicle')]
    assert message.threshold == 0.25


def test_detections_are_boxes_around_their_centre(vision_msgs: Any) -> None:
    header = Header(frame_id='camera')
    vehicles = VehicleBoxes(
        boxes_xyxy=np.array([[10, 20, 31, 40], [0, 0, 1, 1]], np.int32),
        pixels=np.array([300, 1], np.int32),
        score=np.array([0.75, 0.5], np.float32),
    )
    message = detections(vision_msgs, header, vehicles, 1)
    assert message.header is header
    boxes = []
    for entry in message.detections:
        assert entry.header is header
        (result,) = entry.results
        assert result.hypothesis.class_id == '1'
        centre = entry.bbox.center
        assert centre.theta == 0.0
        size = (entry.bbox.size_x, entry.bbox.size_y)
        boxes.append((centre.position.x, centre.position.y, *size, result.hypothesis.score))
    assert boxes == [(20.5, 30.0, 21.0, 20.0, 0.75), (0.5, 0.5, 1.0, 1.0, 0.5)]


def test_regions_are_four_lines_each() -> None:
    visualization_msgs = pytest.importorskip('visualization_msgs.msg')
    header = Header(frame_id='camera')
    boxes_xyxy = np.array([[0, 2, 8, 4], [8, 0, 12, 2]], np.int32)
    message = region_marker(visualization_msgs, header, boxes_xyxy)
    assert message.header is header
    assert message.type == visualization_msgs.ImageMarker.LINE_LIST
    assert message.outline_color.a == 1.0
    points = [(point.x, point.y) for point in message.points]
    assert len(points) == 16
    lines = {frozenset(points[index : index + 2]) for index in range(0, 8, 2)}
    corners = {'a': (0, 2), 'b': (8, 2), 'c': (8, 4), 'd': (0, 4)}
    assert lines == {
        frozenset((corners[start], corners[end])) for start, end in ('ab', 'bc', 'cd', 'da')
    }
    assert set(points[8:]) == {(8, 0), (12, 0), (12, 2), (8, 2)}


def test_no_regions_are_a_marker_without_lines() -> None:
    visualization_msgs = pytest.importorskip('visualization_msgs.msg')
    message = region_marker(visualization_msgs, Header(), np.zeros((0, 4), np.int32))
    assert len(message.points) == 0
