"""Tests of networks and code that fail while images come: each failure ends in a named state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from diagnostic_msgs.msg import DiagnosticStatus
from support.ros_segmenter import (
    Client,
    SegmenterProcess,
    free_domain_id,
    plain_image,
    running_script,
)
from support.scripted_segmenter import FAIL, FAIL_ONCE, STUMBLE

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def node(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path
) -> Iterator[tuple[SegmenterProcess, Client]]:
    folder = tmp_path_factory.mktemp('node')
    with running_script(folder, free_domain_id(20), bundle=tiny_bundle) as (process, client):
        client.meet()
        yield process, client


def wait_for_fault(client: Client, text: str) -> None:
    def told(status: DiagnosticStatus, pairs: dict[str, str]) -> bool:
        return (
            status.level == status.ERROR
            and text in status.message
            and pairs['state'] == 'inactive'
        )

    client.wait_for_status(told, f'an error that says {text!r}')


def activate_again(client: Client) -> None:
    assert client.change_state('activate')
    client.meet()
    client.wait_for_status(
        lambda status, pairs: status.level != status.ERROR and pairs['state'] == 'active',
        'an end of the error',
    )


def test_a_hiccup_of_a_network_costs_nothing(node: tuple[SegmenterProcess, Client]) -> None:
    process, client = node
    client.segment(plain_image(FAIL_ONCE))
    process.wait_for_log('a network failed, the image is tried once more: scripted: a hiccup')
    pairs = client.wait_for_status(lambda _, pairs: pairs['frames_retried'] == '1', 'its count')
    assert pairs['frames_failed'] == '0'
    assert pairs['state'] == 'active'


def test_a_network_that_fails_twice_stops_the_masks_and_is_told(
    node: tuple[SegmenterProcess, Client],
) -> None:
    process, client = node
    failed_ns = client.publish(plain_image(FAIL))
    wait_for_fault(client, 'a network failed twice on an image: scripted: the device is lost')
    process.wait_for_log('masks have stopped')
    assert failed_ns not in client.masks
    # It answers, and listens no more.
    assert client.state() == 'inactive'
    client.wait_until(lambda: not client.camera.get_subscription_count(), 'no subscription')
    assert client.set_parameters(threshold=0.4).successful
    activate_again(client)

    # It can also be opened anew.
    client.publish(plain_image(FAIL))
    wait_for_fault(client, 'the device is lost')
    assert client.change_state('cleanup')
    assert client.change_state('configure')
    activate_again(client)


def test_one_error_of_the_code_costs_one_image(node: tuple[SegmenterProcess, Client]) -> None:
    process, client = node
    lost_ns = client.publish(plain_image(STUMBLE))
    process.wait_for_log('image lost by an error of stseg_ros, please report it')
    client.segment(plain_image(0))
    assert lost_ns not in client.masks
    assert client.state() == 'active'
    assert 'ZeroDivisionError: scripted: a bug' in process.log.read_text()


def test_two_errors_of_the_code_in_a_row_stop_the_masks(
    node: tuple[SegmenterProcess, Client],
) -> None:
    process, client = node
    client.segment(plain_image(0))
    client.publish(plain_image(STUMBLE))
    client.wait_for_status(
        lambda status, _: status.level == status.ERROR and 'a bug' in status.message,
        'the first error',
    )
    client.publish(plain_image(STUMBLE))
    wait_for_fault(client, 'an error of stseg_ros in two images in a row: ZeroDivisionError(')
    assert client.state() == 'inactive'
    activate_again(client)
    assert process.process.poll() is None
