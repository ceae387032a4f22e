"""A camera for measure_node.py: publishes images as it is told, in a process of its own.

    python docs/scripts/node/node_camera.py BAG TOPIC...

Reads orders from its standard input, one JSON object a line: `topic`, `rate_hz`, `count`, and
`first`, the number of the first image. It answers each with one line: `stamps_ns`, the stamps that
it gave the images, and `published_ns`, CLOCK_MONOTONIC just before each was published; or `error`.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from stseg_ros.errors import DataError, StsegError
from stseg_ros.ros_node.bag_node import plain_node
from stseg_ros.ros_node.memory import keep_freed_memory
from stseg_ros.ros_node.transport import use_large_image_transport
from stseg_ros.sources.bag_reader import BagReader

_NS_PER_S = 1_000_000_000
_PATIENCE_S = 120.0
_POLL_S = 0.02
# A publisher knows its subscribers a little before they know it.
_SETTLE_S = 0.3
_LITTLE_ENDIAN = 1
# The header comes first in an image message, and the stamp first in the header.
_STAMP = struct.Struct('<iI')
_STAMP_OFFSET = 4


class Camera:
    """Publishes the images of a bag again and again, each time with a new stamp."""

    def __init__(self, node: Any, topics: Sequence[str], messages: Sequence[bytes]) -> None:
        """Advertise.

        Args:
            node: the ROS node.
            topics: where images may be published.
            messages: serialised sensor_msgs/Image; at least one.
        """
        assert all(message[1] == _LITTLE_ENDIAN for message in messages)
        self._messages = [bytearray(message) for message in messages]
        self._publishers = {
            topic: node.create_publisher(Image, topic, QoSProfile(depth=10)) for topic in topics
        }
        self._latest_ns = 0

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Publish what an order asks for.

        Args:
            order: see the module.

        Returns:
            The answer.

        Raises:
            DataError: nobody subscribes.
        """
        publisher = self._publishers[order['topic']]
        self._wait_for_subscriber(publisher, order['topic'])
        stamps_ns, published_ns = [], []
        start_s = time.monotonic()
        for number in range(order['count']):
            message = self._messages[(order['first'] + number) % len(self._messages)]
            due_s = start_s + number / order['rate_hz']
            if (left_s := due_s - time.monotonic()) > 0:
                time.sleep(left_s)
            stamps_ns.append(self._stamp(message))
            data = bytes(message)
            published_ns.append(time.monotonic_ns())
            publisher.publish(data)
        return {'stamps_ns': stamps_ns, 'published_ns': published_ns}

    def _stamp(self, message: bytearray) -> int:
        """Write a stamp that no image has had; return it."""
        self._latest_ns = max(time.time_ns(), self._latest_ns + 1)
        _STAMP.pack_into(message, _STAMP_OFFSET, *divmod(self._latest_ns, _NS_PER_S))
        return self._latest_ns

    @staticmethod
    def _wait_for_subscriber(publisher: Any, topic: str) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        if publisher.get_subscription_count():
            return
        while not publisher.get_subscription_count():
            if time.monotonic() > deadline_s:
                raise DataError(f'nobody subscribes to {topic} within {_PATIENCE_S:.0f} s')
            time.sleep(_POLL_S)
        time.sleep(_SETTLE_S)


def main(arguments: Sequence[str]) -> None:
    """Obey until the standard input ends.

    Args:
        arguments: the bag and the topics.
    """
    bag, *topics = arguments
    keep_freed_memory()
    use_large_image_transport()
    with BagReader(Path(bag)) as reader:
        topic = reader.image_topic(None).name
        messages = [message.cdr for message in reader.messages([topic])]
    with plain_node('camera') as node:
        camera = Camera(node, topics, messages)
        for line in sys.stdin:
            try:
                answer = camera.obey(json.loads(line))
            except StsegError as err:
                answer = {'error': str(err)}
            print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    main(sys.argv[1:])
