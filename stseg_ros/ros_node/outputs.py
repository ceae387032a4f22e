"""The node's publishers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidHandle
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from stseg_ros.ros_node.diagnostics import diagnostic_array
from stseg_ros.ros_node.image_buffers import ImageBuffer
from stseg_ros.ros_node.onlooker_messages import find_messages, label_info
from stseg_ros.ros_node.onlooker_outputs import FrameView, onlooker_outputs
from stseg_ros.ros_node.qos import overridable, override_errors

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher

    from stseg_ros.records import UInt8Array

_DEPTH = 10


class OnlookerTopic(NamedTuple):
    """A topic, and what makes its message of a frame."""

    publisher: Publisher[Any]
    make: Callable[[FrameView], Any]


class Outputs:
    """Everything the node publishes of a frame."""

    def __init__(self, node: Node, classes: tuple[str, ...] = ('background', 'vehicle')) -> None:
        """Create the publishers.

        Args:
            node: the node.
            classes: names of the bundle's classes; the last is the one that the mask shows.

        Raises:
            ConfigError: a QoS override is wrong.
        """
        self._node = node
        self._classes = classes
        self._status_name = f'{node.get_fully_qualified_name()}: frame timing'
        self._mask_buffer = ImageBuffer('mono8')
        self._threshold: float | None = None
        self._publishers: list[Publisher[Any]] = []
        try:
            self._create_publishers()
        except BaseException:
            self.destroy()
            raise

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

    def find_wanted(self) -> list[OnlookerTopic]:
        """Find what costs time to make and has a subscriber.

        Returns:
            What `publish_wanted` takes. Whoever subscribes later gets the next frame.
        """
        outputs = self._onlooker_outputs
        return [output for output in outputs if output.publisher.get_subscription_count()]

    def publish_wanted(self, wanted: list[OnlookerTopic], view: FrameView) -> None:
        """Make and publish what somebody wanted of a frame.

        Args:
            wanted: from `find_wanted`.
            view: the segmented frame.
        """
        for output in wanted:
            output.publisher.publish(output.make(view))

    def announce_labels(self, threshold: float) -> None:
        """Publish what the classes are called, where this threshold has not been told yet.

        Args:
            threshold: of the probability, above which a pixel is the last class.
        """
        if self._label_info is None or threshold == self._threshold:
            return
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._label_info.publish(label_info(self._vision_msgs, header, self._classes, threshold))
        self._threshold = threshold

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

    def _create_publishers(self) -> None:
        self._mask = self._advertise(Image, 'mask')
        self._frame_timing = self._advertise(DiagnosticArray, 'frame_timing')
        outputs, left_out = onlooker_outputs(len(self._classes) - 1)
        self._onlooker_outputs = [
            OnlookerTopic(self._advertise(output.message_type, output.topic), output.make)
            for output in outputs
        ]
        self._vision_msgs = find_messages('vision_msgs')
        self._label_info = None
        if self._vision_msgs is not None:
            # Whoever comes late gets the latest one at once.
            latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
            self._label_info = self._advertise(self._vision_msgs.LabelInfo, 'label_info', latched)
        for line in left_out:
            self._node.get_logger().debug(line)

    def _advertise(
        self, message_type: type, topic: str, qos: QoSProfile | None = None
    ) -> Publisher[Any]:
        # A remapping of mask moves mask/compressed along, as image_transport does it.
        base, *rest = topic.split('/')
        name = '/'.join([self._node.resolve_topic_name(base), *rest]) if rest else topic
        with override_errors(topic):
            publisher: Publisher[Any] = self._node.create_publisher(
                message_type,
                name,
                qos or QoSProfile(depth=_DEPTH),
                qos_overriding_options=overridable(),
            )
        self._publishers.append(publisher)
        return publisher
