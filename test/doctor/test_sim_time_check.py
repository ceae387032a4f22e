"""Tests of who gives the simulated time."""

from __future__ import annotations

import pytest

from stseg_ros.doctor.finding import Status
from stseg_ros.doctor.sim_time_check import SimTimeCheck, judge


def test_nobody() -> None:
    found = judge([])
    assert found.status is Status.OK
    assert 'use_sim_time false' in found.summary


def test_one_bag() -> None:
    found = judge(['/rosbag2_player'])
    assert found.status is Status.OK
    assert 'use_sim_time:=true' in found.advice


def test_two_bags() -> None:
    found = judge(['/player', '/simulator'])
    assert found.status is Status.WARNING
    assert '/player, /simulator' in found.summary


@pytest.mark.ros
def test_a_real_publisher(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('rclpy', reason='needs rclpy')
    from rosgraph_msgs.msg import Clock
    from support.ros_segmenter import free_domain_id

    from stseg_ros.ros_node.bag_node import plain_node

    monkeypatch.setenv('ROS_DOMAIN_ID', str(free_domain_id(33)))
    with plain_node('the_bag') as node:
        node.create_publisher(Clock, '/clock', 10)
        found = SimTimeCheck(look_s=3.0).run()
    assert found.details['publishers'] == ['/the_bag']
