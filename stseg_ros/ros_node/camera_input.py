"""The node's subscription, and what is known when it stays silent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from stseg_ros.ros_node.frame_processor import ReceivedImage
from stseg_ros.ros_node.input_health import COMPRESSED, RAW, explain_silence
from stseg_ros.ros_node.qos import overridable, override_errors

_COMPRESSED_SUFFIX = '/compressed'
# The mailbox keeps the newest image only, and counts the others. At depth 1 DDS would already drop
# images whenever this process is late for a moment, and tell nobody.
_DEPTH = 4


class CameraInput:
    """Subscribes to the camera and hands on its messages as they come.

    Attributes:
        topic: full name of the topic it listens to.
    """

    def __init__(
        self, node: Node, transport: str, receive: Callable[[ReceivedImage], None]
    ) -> None:
        """Subscribe.

        Args:
            node: the node.
            transport: 'raw' or 'compressed'.
            receive: called with every message; it must return at once.

        Raises:
            ConfigError: a QoS override is wrong.
        """
        self._node = node
        self._receive = receive
        self._qos = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.topic = node.resolve_topic_name('image')
        message_type: type = Image
        self._type_name = RAW
        if transport == 'compressed':
            message_type, self._type_name = CompressedImage, COMPRESSED
            # A remapping of image moves its compressed companion along, as image_transport does
            # it; image/compressed can also be remapped by itself.
            if not self.topic.endswith(_COMPRESSED_SUFFIX):
                self.topic = node.resolve_topic_name(self.topic + _COMPRESSED_SUFFIX)
        with override_errors(self.topic):
            self._subscription = node.create_subscription(
                message_type,
                self.topic,
                self._on_message,
                self._qos,
                qos_overriding_options=overridable(),
            )

    def explain_silence(self) -> str:
        """Return the likeliest cause of hearing nothing, one line."""
        return explain_silence(self._node, self.topic, self._type_name, self._qos)

    def destroy(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def _on_message(self, message: Any) -> None:
        self._receive(ReceivedImage(message=message, received_ns=time.perf_counter_ns()))
