"""Tests of the node's states, of its start and of its end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

import rclpy
import rclpy.node  # Brings its type_description_service along, where there is one.
from lifecycle_msgs.msg import Transition
from support.ros_segmenter import Client, SegmenterProcess, free_domain_id, rgb_image
from support.ros_segmenter import running_segmenter as running
from support.tiny_bundle import write_tiny_bundle

pytestmark = pytest.mark.ros

GREY = np.full((48, 64, 3), 128, np.uint8)


def wait_for_summary(client: Client, state: str) -> None:
    client.wait_for_status(lambda _, pairs: pairs['state'] == state, f'a summary of {state}')


def test_all_transitions_by_service(tmp_path: Path, tiny_bundle: Path) -> None:
    with running(tmp_path, free_domain_id(3), bundle=tiny_bundle, autostart=False) as (_, client):
        assert client.state() == 'unconfigured'
        wait_for_summary(client, 'unconfigured')
        assert client.change_state('configure')
        assert client.state() == 'inactive'
        wait_for_summary(client, 'inactive')
        assert client.set_parameters(regions=2).successful
        assert not client.camera.get_subscription_count()

        assert client.change_state('activate')
        client.meet()
        assert client.change_state('deactivate')
        client.wait_until(lambda: not client.camera.get_subscription_count(), 'no subscription')
        assert client.change_state('activate')
        client.meet()
        client.segment(rgb_image(GREY))

        assert client.change_state('deactivate')
        assert client.change_state('cleanup')
        assert client.state() == 'unconfigured'
        client.wait_until(lambda: not client.node.count_publishers('mask'), 'no publisher')
        assert client.change_state('configure')
        assert client.change_state('shutdown')
        assert client.state() == 'finalized'
        wait_for_summary(client, 'finalized')


def test_a_transition_by_number_that_is_not_possible_is_refused(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    domain_id = free_domain_id(3)
    with running(tmp_path, domain_id, bundle=tiny_bundle, autostart=False) as (process, client):
        assert client.state() == 'unconfigured'
        answer = client.ask_for_transition(Transition.TRANSITION_ACTIVATE)
        # Before Kilted rclpy raises, and does not answer: the node must live all the same.
        client.wait_until(
            lambda: answer.done() or 'request was refused' in process.log.read_text(), 'an end'
        )
        assert not (answer.done() and answer.result().success)
        assert client.state() == 'unconfigured'
        answer = client.ask_for_transition(Transition.TRANSITION_CONFIGURE)
        client.wait_until(answer.done, 'the answer')
        assert answer.result().success
        assert client.state() == 'inactive'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_signals_end_the_active_node_cleanly(
    tmp_path: Path, tiny_bundle: Path, number: signal.Signals
) -> None:
    domain_id = free_domain_id(4)
    with running(tmp_path, domain_id, bundle=tiny_bundle) as (process, client):
        client.meet()
        assert process.stop(number) == 0
        assert 'Traceback' not in process.log.read_text()


def test_a_wrong_bundle_is_told_and_can_be_mended(tmp_path: Path) -> None:
    missing = tmp_path / 'later'
    with running(tmp_path, free_domain_id(5), bundle=missing) as (process, client):
        process.wait_for_log('lifecycle set /segmenter configure, and then activate; or start')
        assert f'{missing}: no such folder' in process.log.read_text()
        assert client.state() == 'unconfigured'
        client.wait_for_status(
            lambda status, _: status.level == status.ERROR and str(missing) in status.message,
            'an error on /diagnostics',
        )
        assert not client.change_state('configure')
        write_tiny_bundle(missing)
        assert client.change_state('configure')
        assert client.change_state('activate')
        client.meet()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['-p', 'threshold:=1'], 'parameter threshold has the wrong type, expected a float'),
        (['-p', 'regions:=many'], 'parameter regions has the wrong type, expected a int'),
        (['-p', 'overlay_alpha:=2.0'], 'overlay_alpha out of range'),
        (['-p', 'backend:=abacus'], "backend is 'abacus'; expected one of auto"),
        (['--params-file', '/nonexistent.yaml'], 'nonexistent.yaml'),
    ],
    ids=lambda it: it[-1] if isinstance(it, list) else '',
)
def test_wrong_parameters_end_the_start_in_one_line(arguments: list[str], message: str) -> None:
    ended = subprocess.run(
        [sys.executable, '-m', 'stseg_ros.ros_node.segmenter_node', '--ros-args', *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith('segmenter_node: ')]
    assert message in line
    assert 'Traceback' not in ended.stderr


def test_what_is_amiss_is_warned_of(tmp_path: Path, tiny_bundle: Path) -> None:
    process = SegmenterProcess(
        tmp_path / 'log',
        free_domain_id(6),
        bundle=tiny_bundle,
        regoins=3,
        no_image_warning_s=0.5,
        # rclpy declares these two, the second one from Jazzy on.
        use_sim_time=False,
        start_type_description_service=True,
    )
    try:
        process.wait_for_log('parameter regoins is set but does not exist; did you mean regions?')
        process.wait_for_log('nobody publishes /image; no image topic is published at all')
        assert process.log.read_text().count('is set but does not exist') == 1 + (
            not hasattr(rclpy, 'type_description_service')
        )
        assert process.stop(signal.SIGINT) == 0
    finally:
        process.end()
