"""Sends images for `stseg doctor` from a process of its own, as a camera driver would.

It sends small ones until a line on its standard input says that they arrive, then the large ones,
reports on its standard output, and stays until its standard input is closed.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from stseg_ros.ros_node.bag_node import plain_node
from stseg_ros.ros_node.shared_segments import own_segments

if TYPE_CHECKING:
    from rclpy.publisher import Publisher

_RATE_HZ = 30.0
_GREETING_S = 0.05
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Send.

    Args:
        argv: arguments without the program's name; None takes the process's own.

    Returns:
        0, or 1 where the receiver has gone before it heard anything.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--topic', required=True)
    parser.add_argument('--images', type=int, required=True)
    parser.add_argument('sizes', nargs='+')
    arguments = parser.parse_args(argv)
    with plain_node('stseg_doctor_camera') as node:
        publisher = node.create_publisher(Image, arguments.topic, qos_profile_sensor_data)
        if not _greet(publisher):
            return 1
        for size in arguments.sizes:
            _send(publisher, size, arguments.images)
        # To free the shared memory now would take it from under the receiver.
        report = {'sent': dict.fromkeys(arguments.sizes, arguments.images)}
        print(json.dumps({**report, 'segments': sorted(own_segments())}), flush=True)
        sys.stdin.read()
    return 0


def _greet(publisher: Publisher[Any]) -> bool:
    """Send small images until told to go on; return whether one was told so."""
    greeting = _image_message('1x1')
    while True:
        publisher.publish(greeting)
        if select.select([sys.stdin], [], [], _GREETING_S)[0]:
            return sys.stdin.readline() == 'go\n'


def _send(publisher: Publisher[Any], size: str, images: int) -> None:
    message = _image_message(size)
    start_s = time.monotonic()
    for index in range(images):
        time.sleep(max(0.0, start_s + index / _RATE_HZ - time.monotonic()))
        publisher.publish(message)


def _image_message(size: str) -> bytes:
    """Make a bgr8 image, serialised once: a sender that is late is not the transport's fault."""
    width, height = map(int, size.split('x'))
    message = Image(width=width, height=height, step=3 * width, encoding='bgr8')
    message.data.frombytes(bytes(3 * width * height))
    return bytes(serialize_message(message))


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
