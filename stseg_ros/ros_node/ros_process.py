"""A process with one node: it joins ROS, and serves the node until it is told to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation

from stseg_ros.errors import ConfigError

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

RCLError = rclpy_implementation.RCLError
# How the error begins that every version raises of a transition which the state does not allow.
_REFUSED = 'Failed to trigger lifecycle state machine transition'


def join_ros(args: list[str] | None) -> None:
    """Start ROS in this process.

    Args:
        args: command line; None takes the process's own.

    Raises:
        ConfigError: the ROS arguments or a parameter file are wrong.
    """
    try:
        rclpy.init(args=args)
    except RCLError as err:
        raise ConfigError(f'ROS cannot start: {" ".join(str(err).split())}') from err


def spin(node: LifecycleNode) -> None:
    """Serve a node's callbacks until ROS is shut down.

    A request for a transition by its number is not checked by rclpy before Kilted: the error of
    one that the state does not allow comes out here, and must not end the node.

    Args:
        node: the node.
    """
    while node.context.ok():
        with _refusals_told(node):
            rclpy.spin(node)


@contextmanager
def _refusals_told(node: LifecycleNode) -> Iterator[None]:
    try:
        yield
    except RCLError as err:
        if not node.context.ok() or _REFUSED not in str(err):
            raise
        node.get_logger().error(f'a lifecycle request was refused: {err}')
