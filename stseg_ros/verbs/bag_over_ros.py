"""`stseg bag play` and `stseg bag record`: bags from and to a live ROS 2."""

from __future__ import annotations

import argparse
from pathlib import Path

from stseg_ros.errors import ConfigError
from stseg_ros.verbs.output_bag import add_output_bag_arguments

_RECORDED = ('/mask', '/frame_timing')


def add_play_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `play`.

    Args:
        parser: the action's parser.
    """
    parser.add_argument('bag', type=Path, metavar='BAG', help='bag to play')
    parser.add_argument(
        '--rate', type=float, default=1.0, help='speed; 2 is twice real time (default: 1)'
    )
    parser.add_argument('--loop', action='store_true', help='start over at the end, until Ctrl-C')
    parser.add_argument(
        '--clock', action='store_true', help='publish the recorded time on /clock as well'
    )
    parser.add_argument(
        '--topic',
        action='append',
        default=[],
        help='play only this topic; may be given several times (default: all)',
    )
    parser.add_argument(
        '--publish-log', type=Path, metavar='FILE', help='write when each message was published'
    )
    parser.add_argument(
        '--wait-for-subscribers',
        type=int,
        default=0,
        metavar='N',
        help='start when every image topic has N subscribers (default: at once)',
    )


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `record`.

    Args:
        parser: the action's parser.
    """
    add_output_bag_arguments(parser)
    parser.add_argument(
        '--topic',
        action='append',
        default=[],
        help=f'record this topic; may be given several times (default: {" and ".join(_RECORDED)})',
    )
    parser.add_argument(
        '--seconds',
        type=float,
        metavar='S',
        help='stop so long after the first message (default: at Ctrl-C)',
    )


def play(arguments: argparse.Namespace) -> int:
    """Publish a bag.

    Args:
        arguments: what `add_play_arguments` declared.

    Returns:
        0.

    Raises:
        StsegError: ROS is missing, or the bag or an argument is at fault.
    """
    if not arguments.rate > 0.0:
        raise ConfigError(f'rate is {arguments.rate:g}; expected above 0')
    if arguments.wait_for_subscribers < 0:
        raise ConfigError(
            f'wait-for-subscribers is {arguments.wait_for_subscribers}; expected 0 or more'
        )
    try:
        from stseg_ros.ros_node import bag_player
    except ImportError as error:
        raise _no_ros('playing', error) from error
    status: int = bag_player.play(
        arguments.bag,
        rate=arguments.rate,
        loop=arguments.loop,
        clock=arguments.clock,
        topics=tuple(arguments.topic),
        publish_log=arguments.publish_log,
        wait_for_subscribers=arguments.wait_for_subscribers,
    )
    return status


def record(arguments: argparse.Namespace) -> int:
    """Write what is published to a bag.

    Args:
        arguments: what `add_record_arguments` declared.

    Returns:
        0.

    Raises:
        StsegError: ROS is missing, an argument is at fault, or nothing came.
    """
    from stseg_ros.sources.bag_writer import BagWriter
    from stseg_ros.sources.topics import check_topic

    topics = tuple(check_topic(topic) for topic in arguments.topic or _RECORDED)
    if arguments.seconds is not None and not arguments.seconds > 0.0:
        raise ConfigError(f'seconds is {arguments.seconds:g}; expected above 0')
    writer = BagWriter(arguments.output, storage=arguments.storage)
    try:
        from stseg_ros.ros_node import bag_recorder
    except ImportError as error:
        raise _no_ros('recording', error) from error
    counts = bag_recorder.record(writer, topics, seconds=arguments.seconds)
    named = ', '.join(f'{count} messages on {topic}' for topic, count in counts.items())
    print(f'{arguments.output}: {named}')
    return 0


def _no_ros(what: str, error: ImportError) -> ConfigError:
    return ConfigError(
        f'{what} needs ROS 2 in this Python ({error}); source a ROS 2 installation, '
        'or install rclpy from wheels with `make setup`'
    )
