"""The node's subscription, and what is known when it stays silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from stseg_ros.ros_node.frame_processor import ReceivedImage
from stseg_ros.ros_node.input_health import COMPRESSED, RAW, explain_loss, explain_silence
from stseg_ros.ros_node.qos import overridable, override_errors
from stseg_ros.ros_node.transport import is_kilted_or_later

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

_COMPRESSED_SUFFIX = '/compressed'
# Only the newest image is of use: while this process is late, a longer queue would hand on images
# that are older by its length. What DDS drops, the numbers of the messages tell.
_DEPTH = 1
# Where messages have no numbers, nobody would be told.
_DEPTH_WITHOUT_NUMBERS = 4

_PUBLISHERS_KEPT = 16


class SequenceWatch:
    """Counts messages that were published and did not come, by the numbers their writer gave them.

    It sees what the transport loses, and also what a subscription replaces by newer messages
    before this process has taken them, which nothing else counts.
    """

    def __init__(self) -> None:
        """Start with no publisher known."""
        self._latest: dict[bytes, int] = {}

    def note(self, publisher: bytes, number: int) -> int:
        """A message has come.

        Args:
            publisher: who sent it.
            number: how many messages it had published by then.

        Returns:
            How many were lost between the latest one before and this one; 0 for a new publisher,
            and for a message that comes after a later one.
        """
        if publisher not in self._latest and len(self._latest) >= _PUBLISHERS_KEPT:
            self._latest.clear()
        before = self._latest.get(publisher, number)
        self._latest[publisher] = max(before, number)
        return max(number - before - 1, 0)


class CameraInput:
    """Subscribes to the camera and hands on its messages as they come.

    Attributes:
        topic: full name of the topic it listens to.
    """

    def __init__(
        self,
        node: Node,
        transport: str,
        receive: Callable[[ReceivedImage], None],
        note_lost: Callable[[int], None],
    ) -> None:
        """Subscribe.

        Args:
            node: the node.
            transport: 'raw' or 'compressed'.
            receive: called with every message; it must return at once.
            note_lost: called with how many messages did not come, where the middleware tells.

        Raises:
            ConfigError: a QoS override is wrong.
        """
        self._node = node
        self._receive = receive
        self._note_lost = note_lost
        self._sequences = SequenceWatch()
        self._numbered = False
        depth = _DEPTH if _numbers_messages() else _DEPTH_WITHOUT_NUMBERS
        self._qos = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.topic = node.resolve_topic_name('image')
        self._message_type: type = Image
        self._type_name = RAW
        if transport == 'compressed':
            self._message_type, self._type_name = CompressedImage, COMPRESSED
            # A remapping of image moves its compressed companion along, as image_transport does
            # it; image/compressed can also be remapped by itself.
            if not self.topic.endswith(_COMPRESSED_SUFFIX):
                self.topic = node.resolve_topic_name(self.topic + _COMPRESSED_SUFFIX)
        with override_errors(self.topic):
            try:
                self._subscription = self._subscribe(
                    SubscriptionEventCallbacks(message_lost=self._on_lost)
                )
            except UnsupportedEventTypeError:
                # This middleware does not say what it loses.
                self._subscription = self._subscribe(SubscriptionEventCallbacks())

    def explain_silence(self) -> str:
        """Return the likeliest cause of hearing nothing, one line."""
        return explain_silence(self._node, self.topic, self._type_name, self._qos)

    def explain_loss(self) -> str:
        """Return what keeps the transport from losing images, one line."""
        return explain_loss(self.topic, self._qos)

    def destroy(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self, events: SubscriptionEventCallbacks) -> Subscription[Any]:
        return self._node.create_subscription(
            self._message_type,
            self.topic,
            self._on_message if hasattr(Subscription, 'CallbackType') else self._on_bare_message,
            self._qos,
            event_callbacks=events,
            qos_overriding_options=overridable(),
        )

    def _on_lost(self, event: Any) -> None:
        # The numbers of the messages tell these too.
        if not self._numbered:
            self._note_lost(event.total_count_change)

    def _on_bare_message(self, message: Any) -> None:
        """Take a message from rclpy of Humble, which tells nothing else of it."""
        self._on_message(message, {})

    def _on_message(self, message: Any, info: Mapping[str, Any]) -> None:
        received_ns = time.perf_counter_ns()
        arrived_ns = info.get('received_timestamp')
        # A middleware that does not tell gives 0; a clock that was set may give anything.
        taking_ns = max(time.time_ns() - arrived_ns, 0) if arrived_ns else None
        self._receive(ReceivedImage(message=message, received_ns=received_ns, taking_ns=taking_ns))
        number, publisher = info.get('publication_sequence_number'), info.get('publisher_gid')
        # Before Kilted rclpy does not say who sent a message.
        self._numbered = bool(number and publisher)
        if number and publisher and (lost := self._sequences.note(publisher['data'], number)):
            self._note_lost(lost)


def _numbers_messages() -> bool:
    """Whether every message comes with its number and its publisher."""
    return is_kilted_or_later() and get_rmw_implementation_identifier().startswith('rmw_fastrtps')
