"""Several cameras in one process: a lifecycle node `segmenter` for each, on the same networks."""

from __future__ import annotations

import argparse
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args, try_shutdown

from stseg_ros.errors import ConfigError
from stseg_ros.ros_node.many_cameras.camera_names import camera_names
from stseg_ros.ros_node.many_cameras.shared_networks import SharedNetworks
from stseg_ros.ros_node.ros_process import (
    RCLError,
    closing_at_the_end,
    ignore_signals,
    making_a_node,
    run_process,
    spin,
)
from stseg_ros.ros_node.segmenter_node import SegmenterNode

if TYPE_CHECKING:
    from rclpy.executors import Executor

_NAME = 'multi_segmenter_node'
_ALL_FAILED = 1
_EXAMPLE = """\
example:
  multi_segmenter_node --cameras front left right --ros-args -r image:=image_raw -p regions:=4

listens to /front/image_raw, /left/image_raw and /right/image_raw and publishes /front/mask and so
on. Arguments of ROS go to all cameras; a parameter file may name them: /front/segmenter, /**.
"""


def main(args: list[str] | None = None) -> None:
    """Run a node for each camera until told to stop.

    Args:
        args: command line; None takes the process's own.
    """
    command_line = sys.argv if args is None else [_NAME, *args]
    given = _parser().parse_args(remove_ros_args(command_line)[1:])
    run_process(_NAME, args, lambda: _run(camera_names(given.cameras), given.at_once))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_NAME,
        description='Segment the images of several cameras in one process, which opens the '
        'networks once.',
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--cameras', nargs='+', required=True, metavar='NAME', help='a namespace for each camera'
    )
    parser.add_argument(
        '--at-once',
        type=_count,
        metavar='N',
        help='of how many cameras images are worked on at once; regions that wait together are '
        'refined in one batch (default: one on a CPU, all on a GPU)',
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f'got {text!r}; expected a number of 1 or more')
    return int(text)


def _run(cameras: Sequence[str], at_once: int | None) -> None:
    networks = SharedNetworks(at_once)
    base = _base_namespace()
    with ExitStack() as closing:
        nodes = []
        for camera in cameras:
            with _named(camera):
                node = SegmenterNode(namespace=f'{base}/{camera}', networks=networks)
            nodes.append(closing.enter_context(closing_at_the_end(node)))
        _serve_all(nodes)


@contextmanager
def _named(camera: str) -> Iterator[None]:
    """Say which camera's parameters are wrong, for a file may give each its own."""
    try:
        yield
    except ConfigError as err:
        raise ConfigError(f'camera {camera}: {err}') from err


def _base_namespace() -> str:
    """Return the namespace that the command line gives to the process, '' for the root.

    Raises:
        ConfigError: ROS cannot make a node.
    """
    with making_a_node():
        node = Node(_NAME, start_parameter_services=False, enable_rosout=False)
    try:
        return node.get_namespace().rstrip('/')
    finally:
        node.destroy_node()


def _serve_all(nodes: Sequence[SegmenterNode]) -> None:
    """Serve each node in a thread of its own, so that none waits for another's transitions.

    Raises:
        SystemExit: no node can be served further.
    """
    executors = [SingleThreadedExecutor() for _ in nodes]
    threads = [
        threading.Thread(target=_serve, args=pair, name=f'serve {pair[0].get_namespace()}')
        for pair in zip(nodes, executors, strict=True)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if rclpy.ok():
            sys.exit(_ALL_FAILED)
    finally:
        # Only this thread is interrupted by Ctrl-C; the others see that ROS is shut down.
        ignore_signals()
        try_shutdown()
        for thread, executor in zip(threads, executors, strict=True):
            executor.wake()
            if thread.is_alive():
                thread.join()
            executor.shutdown()


def _serve(node: SegmenterNode, executor: Executor) -> None:
    while node.context.ok() and _goes_on(node, executor):
        pass


def _goes_on(node: SegmenterNode, executor: Executor) -> bool:
    """Serve one node until ROS is shut down, or an error of its callbacks, which costs no other.

    Returns:
        Whether it can be served further.
    """
    try:
        spin(node, executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        return False
    except RCLError as err:
        if node.context.ok():
            problem = 'this camera is served no more, by an error of ROS: start the process again'
            node.tell_unserved(f'{problem} ({err})')
            node.get_logger().fatal(f'{problem}\n{traceback.format_exc()}')
        return False
    except Exception:  # noqa: BLE001 - the other cameras go on
        node.get_logger().error(f'an error of stseg_ros:\n{traceback.format_exc()}')
    return True


if __name__ == '__main__':
    main()
