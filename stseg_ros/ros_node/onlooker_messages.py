"""Messages of packages that not every machine has: boxes, regions, names of classes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from std_msgs.msg import Header

    from stseg_ros.pipeline.vehicle_boxes import VehicleBoxes
    from stseg_ros.records import Int32Array

# Yellow, as the overlay frames them.
_REGION_RGBA = (1.0, 0.84, 0.24, 1.0)
_LINE_PIXELS = 2.0


def find_messages(package: str) -> Any:
    """Import a package's messages.

    Args:
        package: such as 'vision_msgs'.

    Returns:
        The module with the message classes; None where the package is not installed.
    """
    try:
        return importlib.import_module(f'{package}.msg')
    except ModuleNotFoundError:
        return None


def label_info(vision_msgs: Any, header: Header, classes: Sequence[str], threshold: float) -> Any:
    """Name the numbers in `labels`.

    Args:
        vision_msgs: the package's messages.
        header: when this was said.
        classes: names, by number.
        threshold: a pixel is the last class where its probability is above this.

    Returns:
        A vision_msgs/LabelInfo.
    """
    return vision_msgs.LabelInfo(
        header=header,
        class_map=[
            vision_msgs.VisionClass(class_id=number, class_name=name)
            for number, name in enumerate(classes)
        ],
        threshold=threshold,
    )


def detections(vision_msgs: Any, header: Header, vehicles: VehicleBoxes, class_id: int) -> Any:
    """Make the boxes of single vehicles a message.

    Args:
        vision_msgs: the package's messages.
        header: the camera image's header, taken as it is.
        vehicles: their boxes.
        class_id: their class's number in `label_info`.

    Returns:
        A vision_msgs/Detection2DArray. Boxes are in pixels, from edge to edge: a box over the
        first pixel alone has its centre at 0.5 and a size of 1.
    """
    message = vision_msgs.Detection2DArray(header=header)
    for box_xyxy, score in zip(vehicles.boxes_xyxy.tolist(), vehicles.score.tolist(), strict=True):
        x0, y0, x1, y1 = box_xyxy
        hypothesis = vision_msgs.ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = str(class_id)
        hypothesis.hypothesis.score = score
        detection = vision_msgs.Detection2D(header=header, results=[hypothesis])
        detection.bbox.center.position.x = (x0 + x1) / 2.0
        detection.bbox.center.position.y = (y0 + y1) / 2.0
        detection.bbox.size_x = float(x1 - x0)
        detection.bbox.size_y = float(y1 - y0)
        message.detections.append(detection)
    return message


def region_marker(visualization_msgs: Any, header: Header, boxes_xyxy: Int32Array) -> Any:
    """Make the refined regions one message, in the image's plane.

    Args:
        visualization_msgs: the package's messages.
        header: the camera image's header, taken as it is.
        boxes_xyxy: (K, 4) int32 half-open boxes in camera pixels.

    Returns:
        A visualization_msgs/ImageMarker of separate lines: 8 points a region, least confident
        region first.
    """
    marker = visualization_msgs.ImageMarker
    message = marker(header=header, ns='regions', type=marker.LINE_LIST, action=marker.ADD)
    message.scale = _LINE_PIXELS
    colour = message.outline_color
    colour.r, colour.g, colour.b, colour.a = _REGION_RGBA
    point: Any = importlib.import_module('geometry_msgs.msg').Point
    points = []
    for x0, y0, x1, y1 in boxes_xyxy.astype(float).tolist():
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
            points += [point(x=start[0], y=start[1]), point(x=end[0], y=end[1])]
    message.points = points
    return message
