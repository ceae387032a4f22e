"""Tests that a refused lifecycle request does not end the node, and that other errors do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

import rclpy
from lifecycle_msgs.msg import Transition
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode
from support.ros_segmenter import free_domain_id

from stseg_ros.errors import ConfigError
from stseg_ros.ros_node.ros_process import RCLError, join_ros, spin

pytestmark = pytest.mark.ros


@pytest.fixture
def node() -> Iterator[LifecycleNode]:
    rclpy.init(domain_id=free_domain_id(41))
    node = LifecycleNode('segmenter')
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def test_refused_requests_are_told_and_the_node_goes_on(
    node: LifecycleNode, capfd: pytest.CaptureFixture[str]
) -> None:
    served: list[str] = []

    def request() -> None:
        served.append('request')
        following.trigger()
        # What rclpy before Kilted does with a request by number; the error passes the executor.
        node._state_machine.trigger_transition_by_id(Transition.TRANSITION_ACTIVATE, True)

    def follow() -> None:
        served.append('following')
        if served.count('following') == 2:
            rclpy.shutdown()
        else:
            first.trigger()

    first = node.create_guard_condition(request)
    following = node.create_guard_condition(follow)
    first.trigger()
    with suppress(ExternalShutdownException):
        spin(node)
    assert served == 2 * ['request', 'following']
    assert capfd.readouterr().err.count('a lifecycle request was refused: Failed to trigger') == 2


def test_other_errors_end_it(node: LifecycleNode) -> None:
    def fail() -> None:
        raise RCLError('out of memory')

    node.create_guard_condition(fail).trigger()
    with pytest.raises(RCLError, match='out of memory'):
        spin(node)


def test_wrong_arguments_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r'^ROS cannot start: [^\n]*nonexistent\.yaml[^\n]*$'):
        join_ros(['--ros-args', '--params-file', '/nonexistent.yaml'])
