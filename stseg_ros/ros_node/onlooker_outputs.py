"""What the node makes of a frame only while somebody subscribes to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from stseg_ros.pipeline.overlay import draw_overlay
from stseg_ros.pipeline.vehicle_boxes import find_vehicles
from stseg_ros.ros_node.image_buffers import ImageBuffer, png_mask
from stseg_ros.ros_node.onlooker_messages import detections, find_messages, region_marker

if TYPE_CHECKING:
    from std_msgs.msg import Header

    from stseg_ros.records import Frame, SegmentationResult


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameView:
    """A segmented frame, and how people want to see it.

    Attributes:
        header: the camera image's header.
        frame: the camera image.
        result: its segmentation.
        overlay_alpha: opacity of the overlay's tint.
        vehicle_min_pixels: vehicles of fewer pixels get no box.
    """

    header: Header
    frame: Frame
    result: SegmentationResult
    overlay_alpha: float
    vehicle_min_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlookerOutput:
    """One topic.

    Attributes:
        topic: its name, relative.
        message_type: class of its messages.
        make: makes the message of a frame; it may be used again by the next call.
    """

    topic: str
    message_type: type
    make: Callable[[FrameView], Any]


def onlooker_outputs(class_id: int) -> tuple[list[OnlookerOutput], list[str]]:
    """List what can be made here; some messages come with packages that not everybody installs.

    Args:
        class_id: number of the class that the mask shows.

    Returns:
        The outputs, and one line for each that is left out, with the reason.
    """
    outputs = [
        OnlookerOutput(topic='mask/compressed', message_type=CompressedImage, make=_compressed),
        OnlookerOutput(topic='labels', message_type=Image, make=_Labels(class_id)),
        OnlookerOutput(topic='confidence', message_type=Image, make=_Confidence()),
        OnlookerOutput(topic='overlay', message_type=Image, make=_Overlay()),
    ]
    left_out = []
    if vision_msgs := find_messages('vision_msgs'):
        message_type, vehicles = vision_msgs.Detection2DArray, _Vehicles(vision_msgs, class_id)
        outputs.append(OnlookerOutput(topic='vehicles', message_type=message_type, make=vehicles))
    else:
        left_out.append('no topics label_info and vehicles: vision_msgs is not installed')
    if visualization_msgs := find_messages('visualization_msgs'):
        message_type, regions = visualization_msgs.ImageMarker, _Regions(visualization_msgs)
        outputs.append(OnlookerOutput(topic='regions', message_type=message_type, make=regions))
    else:
        left_out.append('no topic regions: visualization_msgs is not installed')
    return outputs, left_out


def _compressed(view: FrameView) -> CompressedImage:
    return png_mask(view.header, view.result.mask_hw)


class _Labels:
    """Class numbers, as `label_info` names them, where the mask has 0 and 255."""

    def __init__(self, class_id: int) -> None:
        self._class_id = class_id
        self._buffer = ImageBuffer('mono8')

    def __call__(self, view: FrameView) -> Image:
        # All bits of 255 are set, so this leaves those of the class.
        return self._buffer.fill(view.header, view.result.mask_hw & np.uint8(self._class_id))


class _Confidence:
    def __init__(self) -> None:
        self._buffer = ImageBuffer('mono8')

    def __call__(self, view: FrameView) -> Image:
        return self._buffer.fill(view.header, view.result.label_confidence_hw())


class _Overlay:
    def __init__(self) -> None:
        self._buffer = ImageBuffer('bgr8')

    def __call__(self, view: FrameView) -> Image:
        overlay_hwc = draw_overlay(view.frame, view.result, view.overlay_alpha)
        return self._buffer.fill(view.header, overlay_hwc)


class _Vehicles:
    def __init__(self, vision_msgs: Any, class_id: int) -> None:
        self._vision_msgs = vision_msgs
        self._class_id = class_id

    def __call__(self, view: FrameView) -> Any:
        mask_hw, probability_hw = view.result.mask_hw, view.result.probability_hw()
        vehicles = find_vehicles(mask_hw, probability_hw, view.vehicle_min_pixels)
        return detections(self._vision_msgs, view.header, vehicles, self._class_id)


class _Regions:
    def __init__(self, visualization_msgs: Any) -> None:
        self._visualization_msgs = visualization_msgs

    def __call__(self, view: FrameView) -> Any:
        boxes_xyxy = view.result.boxes_in_camera_xyxy()
        return region_marker(self._visualization_msgs, view.header, boxes_xyxy)
