"""The node's publishers, and the messages they send."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING, Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidHandle
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from stseg_ros.pipeline.overlay import draw_overlay
from stseg_ros.ros_node.diagnostics import diagnostic_array
from stseg_ros.ros_node.qos import overridable, override_errors

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from std_msgs.msg import Header

    from stseg_ros.records import Frame, SegmentationResult, UInt8Array

_DEPTH = 10


class ImageBuffer:
    """An image message that is filled again for every frame.

    Its data is an array.array: rclpy of Humble checks every element of anything else.
    """

    def __init__(self, encoding: str) -> None:
        """Start without pixels.

        Args:
            encoding: 'mono8' or 'bgr8'.
        """
        self._message = Image(encoding=encoding)

    def fill(self, header: Header, pixels: UInt8Array) -> Image:
        """Copy pixels into the message.

        Args:
            header: the header of the image that the pixels belong to, taken as it is.
            pixels: (H, W) for mono8 or (H, W, 3) for bgr8, uint8.

        Returns:
            The message, valid until the next call.
        """
        message = self._message
        if len(message.data) != pixels.size:
            message.data = array.array('B', bytes(pixels.size))
        np.copyto(np.frombuffer(message.data, np.uint8).reshape(pixels.shape), pixels)
        message.header = header
        message.height, message.width = pixels.shape[:2]
        message.step = pixels.size // pixels.shape[0]
        return message


class Outputs:
    """Everything the node publishes of a frame."""

    def __init__(self, node: Node) -> None:
        """Create the publishers.

        Args:
            node: the node.

        Raises:
            ConfigError: a QoS override is wrong.
        """
        self._node = node
        self._status_name = f'{node.get_fully_qualified_name()}: frame timing'
        self._publishers: list[Publisher[Any]] = []
        try:
            self._mask = self._advertise(Image, 'mask')
            self._frame_timing = self._advertise(DiagnosticArray, 'frame_timing')
            self._confidence = self._advertise(Image, 'confidence')
            self._overlay = self._advertise(Image, 'overlay')
        except BaseException:
            self.destroy()
            raise
        self._mask_buffer = ImageBuffer('mono8')
        self._confidence_buffer = ImageBuffer('mono8')
        self._overlay_buffer = ImageBuffer('bgr8')

    def encode_mask(self, header: Header, mask_hw: UInt8Array) -> Image:
        """Make the mask's message.

        Args:
            header: the camera image's header.
            mask_hw: (H, W) uint8.

        Returns:
            The message, valid until the next call.
        """
        return self._mask_buffer.fill(header, mask_hw)

    def publish_mask(self, message: Image) -> None:
        """Publish a mask.

        Args:
            message: from `encode_mask`.
        """
        self._mask.publish(message)

    def publish_timing(
        self, header: Header, pairs: list[tuple[str, str]], hardware_id: str
    ) -> None:
        """Publish where a frame's time went.

        Args:
            header: the camera image's header.
            pairs: keys and values.
            hardware_id: what the networks run on.
        """
        self._frame_timing.publish(
            diagnostic_array(header, name=self._status_name, pairs=pairs, hardware_id=hardware_id)
        )

    def publish_wanted(
        self, header: Header, frame: Frame, result: SegmentationResult, overlay_alpha: float
    ) -> None:
        """Make and publish what costs time and has a subscriber.

        Args:
            header: the camera image's header.
            frame: the camera image.
            result: its segmentation.
            overlay_alpha: opacity of the overlay's tint.
        """
        if self._confidence.get_subscription_count():
            confidence_hw = result.label_confidence_hw()
            self._confidence.publish(self._confidence_buffer.fill(header, confidence_hw))
        if self._overlay.get_subscription_count():
            overlay_hwc = draw_overlay(frame, result, overlay_alpha)
            self._overlay.publish(self._overlay_buffer.fill(header, overlay_hwc))

    def count_subscribers(self) -> tuple[int, int]:
        """Return how many listen to masks and to timings; any thread may ask."""
        try:
            return (
                self._mask.get_subscription_count(),
                self._frame_timing.get_subscription_count(),
            )
        except InvalidHandle:
            return 0, 0  # Another thread has just removed the publishers.

    def destroy(self) -> None:
        """Remove the publishers."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)

    def _advertise(self, message_type: type, topic: str) -> Publisher[Any]:
        with override_errors(topic):
            publisher: Publisher[Any] = self._node.create_publisher(
                message_type,
                topic,
                QoSProfile(depth=_DEPTH),
                qos_overriding_options=overridable(),
            )
        self._publishers.append(publisher)
        return publisher
