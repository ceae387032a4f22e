"""What playing and recording share: a node beside everything else, and message types by name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rclpy

from stseg_ros.ros_node.ros_process import join_ros, making_a_node

if TYPE_CHECKING:
    from rclpy.node import Node


@contextmanager
def plain_node(name: str) -> Iterator[Node]:
    """Join ROS for a `with` block, beside whatever else this process does there.

    Args:
        name: the node's name.

    Yields:
        The node, in a context of its own; signals stay Python's.

    Raises:
        ConfigError: ROS cannot start or make a node, by what was asked of it.
    """
    context = rclpy.Context()
    join_ros(None, context=context)
    try:
        with making_a_node(context):
            node = rclpy.create_node(name, context=context)
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.shutdown(context=context)


def find_message_type(type_name: str) -> type | None:
    """Import a message class.

    Args:
        type_name: such as 'sensor_msgs/msg/Image'.

    Returns:
        The class; None where its package is not installed.
    """
    package, _, name = type_name.partition('/msg/')
    try:
        message_type: type = getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError):
        return None
    return message_type
