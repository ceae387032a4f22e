"""The camera of a soak, in a process of its own: it sends what it is told, and tells what it sent.

Orders come as JSON lines on standard input, see `stseg_ros.soak.processes`; answers leave as
JSON lines on standard output. It ends when its input is closed.
"""

from __future__ import annotations

import argparse
import array
import json
import random
import select
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from stseg_ros.ros_node.bag_node import plain_node
from stseg_ros.ros_node.memory import keep_freed_memory
from stseg_ros.ros_node.transport import use_large_image_transport
from stseg_ros.soak.frames import RAW, TRANSPORTS, Content, fault_names, good_content, spoil

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher

_NS_PER_S = 1_000_000_000
_TELL_S = 0.5
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Serve orders.

    Args:
        argv: arguments without the program's name; None takes the process's own.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--topic', required=True)
    parser.add_argument('--transport', choices=TRANSPORTS, required=True)
    arguments = parser.parse_args(argv)
    keep_freed_memory()
    use_large_image_transport()
    with plain_node('stseg_soak_camera') as node:
        camera = _Camera(node, arguments.topic, arguments.transport)
        for line in iter(sys.stdin.readline, ''):
            order = json.loads(line)
            if order:  # An empty one ends what is being sent, and may come after its end.
                camera.obey(**order)
    return 0


class _Camera:
    """Publishes images and keeps the messages that it has made."""

    def __init__(self, node: Node, topic: str, transport: str) -> None:
        self._node = node
        self._topic = topic
        self._type = Image if transport == RAW else CompressedImage
        self._publisher: Publisher[Any] | None = None
        self._messages: dict[str, Any] = {}
        self._sent: list[tuple[int, int, str]] = []
        self._told_s = 0.0

    def obey(self, do: str, **order: Any) -> None:
        """Do what an order says, and answer when it is done."""
        if do == 'open':
            self._publisher = self._node.create_publisher(
                self._type, self._topic, qos_profile_sensor_data
            )
        elif do == 'close':
            assert self._publisher is not None
            self._node.destroy_publisher(self._publisher)
        else:
            self._send(**order)
        _answer(done=do)

    def _send(
        self,
        *,
        images: int,
        rate_hz: float,
        size_hw: Sequence[int],
        encoding: str,
        bad_share: float,
        seed: int,
    ) -> None:
        """Send images of one kind; the next order ends it early."""
        height, width = size_hw
        good = good_content((height, width), encoding)
        faults = fault_names(good)
        self._messages = {'': self._message(good)}
        dice = random.Random(seed)  # noqa: S311 - not for secrets
        due_s = self._told_s = time.monotonic()
        for _ in range(images):
            fault = dice.choice(faults) if dice.random() < bad_share else ''
            if fault not in self._messages:
                self._messages[fault] = self._message(spoil(good, fault))
            if _wait_for_order(due_s):
                break
            self._publish(fault)
            # A camera that is late does not catch up in a burst.
            due_s = max(due_s + 1.0 / rate_hz, time.monotonic())
            if time.monotonic() - self._told_s > _TELL_S:
                self._tell()
        self._tell()

    def _publish(self, fault: str) -> None:
        assert self._publisher is not None
        message = self._messages[fault]
        sent_ns, stamp_ns = time.monotonic_ns(), time.time_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, _NS_PER_S)
        self._publisher.publish(message)
        self._sent.append((stamp_ns, sent_ns, fault))

    def _tell(self) -> None:
        _answer(sent=self._sent)
        self._sent = []
        self._told_s = time.monotonic()

    def _message(self, content: Content) -> Any:
        fields = {name: getattr(content, name) for name in content.__dataclass_fields__}
        message = self._type()
        message.header.frame_id = 'soak_camera'
        for name, value in fields.items():
            setattr(message, name, array.array('B', value) if name == 'data' else value)
        return message


def _wait_for_order(due_s: float) -> bool:
    """Wait until an image is due; return whether an order has come before."""
    left_s = max(0.0, due_s - time.monotonic())
    return bool(select.select([sys.stdin], [], [], left_s)[0])


def _answer(**content: Any) -> None:
    print(json.dumps(content), flush=True)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
