"""An echo for measure_node.py: answers each image at once with a mask of its size and header.

    python docs/scripts/node/node_echo.py --ros-args -r __ns:=/echo

It subscribes, and publishes, with the same QoS and the same message classes as the segmenter,
keeps its memory as the segmenter does, and computes nothing: what an image's way to it and back
takes is the transport alone.
"""

from __future__ import annotations

import array
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from stseg_ros.ros_node.memory import keep_freed_memory
from stseg_ros.ros_node.transport import use_large_image_transport


def main() -> None:
    """Serve until told to end."""
    keep_freed_memory()
    use_large_image_transport()
    rclpy.init()
    node = rclpy.create_node('echo')
    publisher = node.create_publisher(Image, 'mask', QoSProfile(depth=10))
    mask = Image(encoding='mono8')

    def answer(image: Any) -> None:
        size = image.height * image.width
        if len(mask.data) != size:
            mask.data = array.array('B', bytes(size))
            mask.height, mask.width, mask.step = image.height, image.width, image.width
        mask.header = image.header
        publisher.publish(mask)

    node.create_subscription(
        Image, 'image', answer, QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
