"""Tests that a running node says what is amiss, in its log and under stable keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from support.ros_segmenter import (
    Client,
    SegmenterProcess,
    free_domain_id,
    plain_image,
    running_segmenter,
    values,
)

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def node(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path
) -> Iterator[tuple[SegmenterProcess, Client]]:
    with running_segmenter(
        tmp_path_factory.mktemp('node'), free_domain_id(26), bundle=tiny_bundle
    ) as (process, client):
        client.meet()
        yield process, client


def wait_for_finding(client: Client, key: str, text: str) -> None:
    client.wait_for_status(lambda _, pairs: text in pairs[key], f'{text!r} under {key}')


def test_old_stamps_are_told_without_a_warning(node: tuple[SegmenterProcess, Client]) -> None:
    process, client = node
    client.segment(plain_image(0))
    # The client's stamps are of the year 2023.
    process.wait_for_log('days behind the node')
    seen = len(client.statuses)
    client.segment(plain_image(0))
    client.wait_until(lambda: len(client.statuses) >= seen + 2, 'summaries')
    assert all(status.level == status.OK for status in client.statuses[seen:])


def test_missing_stamps_are_warned_of(node: tuple[SegmenterProcess, Client]) -> None:
    process, client = node
    client.camera.publish(plain_image(0))
    wait_for_finding(client, 'stamps', '1 of 1 images bear no stamp')
    process.wait_for_log('images bear no stamp')


def test_stamps_that_go_back_are_counted(node: tuple[SegmenterProcess, Client]) -> None:
    process, client = node
    client.segment(plain_image(0))
    client.next_stamp_ns, ahead = lambda: 1_600_000_000_000_000_000, client.next_stamp_ns
    client.publish(plain_image(0))
    client.next_stamp_ns = ahead
    wait_for_finding(client, 'stamps', 'went back, by up to')
    pairs = client.wait_for_status(lambda _, pairs: pairs['stamps_backward'] == '1', 'the count')
    assert pairs['clock_jumps'] == '0'
    process.wait_for_log('a bag that starts over, or two publishers on one topic')


def test_simulated_time_without_a_clock_and_a_bag_that_starts_over(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    with running_segmenter(
        tmp_path, free_domain_id(27), bundle=tiny_bundle, use_sim_time=True
    ) as (process, client):
        process.wait_for_log('use_sim_time is true but nothing publishes /clock')
        wait_for_finding(client, 'clock', 'nothing publishes /clock')
        # It works all the same.
        client.meet()
        publisher = client.node.create_publisher(Clock, '/clock', 10)
        message = Clock()

        def tick(second: int) -> None:
            message.clock.sec = second
            publisher.publish(message)

        def ticked() -> bool:
            tick(1000)
            return values(client.statuses[-1])['clock'] == 'ok'

        client.wait_until(ticked, 'a clock')
        tick(400)
        wait_for_finding(client, 'clock', 'the time of /clock went back by 600.0 s')
        process.wait_for_log('the bag started over')


def test_a_qos_that_does_not_fit_is_named(tmp_path: Path, tiny_bundle: Path) -> None:
    reliable = {'qos_overrides./image.subscription.reliability': 'reliable'}
    with running_segmenter(
        tmp_path, free_domain_id(28), bundle=tiny_bundle, no_image_warning_s=0.5, **reliable
    ) as (process, client):
        client.node.destroy_publisher(client.camera)
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        client.camera = client.node.create_publisher(Image, 'image', best_effort)
        said = 'it offers best_effort, volatile, we ask for reliable, volatile: set the parameter'
        wait_for_finding(client, 'no_image', said)
        process.wait_for_log('the QoS of /test_client on /image does not fit ours')
