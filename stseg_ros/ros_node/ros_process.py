"""A process with segmenter nodes: it joins ROS, and serves them until it is told to end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rclpy
from rclpy.exceptions import NotInitializedException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.utilities import try_shutdown

from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.ros_node.memory import keep_freed_memory
from stseg_ros.ros_node.transport import remove_dead_shared_memory, use_large_image_transport

if TYPE_CHECKING:
    from rclpy.context import Context
    from rclpy.executors import Executor
    from rclpy.lifecycle import LifecycleNode

    from stseg_ros.ros_node.segmenter_node import SegmenterNode

RCLError = rclpy_implementation.RCLError
# How the error begins that every version raises of a transition which the state does not allow.
_REFUSED = 'Failed to trigger lifecycle state machine transition'
_USAGE_ERROR = 2
_SECURITY = 'ROS_SECURITY_ENABLE'


def run_process(name: str, args: list[str] | None, run: Callable[[], None]) -> None:
    """Do a process's work inside ROS, until it is told to stop.

    Where the user has asked for what cannot be, it says so in one line and exits with status 2.

    Args:
        name: the executable's name.
        args: command line; None takes the process's own.
        run: makes the nodes, serves them, and closes them.
    """
    keep_freed_memory()
    remove_dead_shared_memory()
    use_large_image_transport()
    try:
        join_ros(args)
        run()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except StsegError as err:
        print(f'{name}: {err}', file=sys.stderr)
        sys.exit(_USAGE_ERROR)
    except (RCLError, NotInitializedException):
        # A signal shuts ROS down under whatever is being done.
        if rclpy.ok():
            raise
    finally:
        try_shutdown()


@contextmanager
def closing_at_the_end(node: SegmenterNode) -> Iterator[SegmenterNode]:
    """Close and destroy a node, however its service ends.

    Args:
        node: the node.

    Returns:
        The same.
    """
    try:
        yield node
    finally:
        ignore_signals()
        try:
            node.close()
        finally:
            node.destroy_node()


def ignore_signals() -> None:
    """Go on to the end: ros2 launch repeats its signals, and none may cut a clean-up short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def join_ros(
    args: list[str] | None, *, context: Context | None = None, domain_id: int | None = None
) -> None:
    """Start ROS in this process.

    Args:
        args: command line; None takes the process's own.
        context: what to start; None is the process's own, which ends on signals.
        domain_id: the ROS domain; None takes it from the environment.

    Raises:
        ConfigError: the ROS arguments or a parameter file are wrong.
    """
    try:
        rclpy.init(args=args, context=context, domain_id=domain_id)
    except RCLError as err:
        raise ConfigError(f'ROS cannot start: {_explain(err)}') from err


@contextmanager
def making_a_node(context: Context | None = None) -> Iterator[None]:
    """Make a node in a `with` block: only then does ROS join the network, if it can.

    Args:
        context: the node's; None is the process's own.

    Raises:
        ConfigError: it cannot, by the security, the domain or the middleware that were asked for.
    """
    try:
        yield
    except RCLError as err:
        if not rclpy.ok(context=context):
            raise
        raise ConfigError(f'ROS cannot make a node: {_explain(err)}') from err


def _explain(error: Exception) -> str:
    """Say in one line what ROS refuses, and how to mend it where that is known."""
    text = ' '.join(str(error).split())
    if os.environ.get(_SECURITY, '').lower() == 'true':
        text += (
            f'; {_SECURITY} is true: expected a middleware built with security, and keys in '
            'ROS_SECURITY_KEYSTORE; unset it to go without'
        )
    return text


def spin(node: LifecycleNode, executor: Executor | None = None) -> None:
    """Serve a node's callbacks until ROS is shut down.

    A request for a transition by its number is not checked by rclpy before Kilted: the error of
    one that the state does not allow comes out here, and must not end the node.

    Args:
        node: the node.
        executor: serves this node alone; None takes the process's own.
    """
    while node.context.ok():
        with _refusals_told(node):
            rclpy.spin(node, executor)


@contextmanager
def _refusals_told(node: LifecycleNode) -> Iterator[None]:
    try:
        yield
    except RCLError as err:
        if not node.context.ok() or _REFUSED not in str(err):
            raise
        node.get_logger().error(f'a lifecycle request was refused: {err}')
