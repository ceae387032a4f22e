"""Tests of how a process starts, serves its nodes and ends: in one line, where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

import rclpy
from lifecycle_msgs.msg import Transition
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from support.ros_segmenter import free_domain_id

from stseg_ros.errors import ConfigError
from stseg_ros.ros_node.ros_process import RCLError, join_ros, making_a_node, run_process, spin
from stseg_ros.sources.bag_messages import IMAGE, make_header, make_image
from stseg_ros.sources.bag_writer import BagWriter

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


def write_keystore(folder: Path) -> None:
    """Write a keystore whose files are there and hold no keys."""
    enclave = folder / 'enclaves' / 'segmenter'
    enclave.mkdir(parents=True)
    for name in (
        *('identity_ca.cert.pem', 'cert.pem', 'key.pem', 'permissions_ca.cert.pem'),
        *('governance.p7s', 'permissions.p7s'),
    ):
        (enclave / name).write_text('no key')


def write_bag(folder: Path) -> Path:
    """Write a bag of one image."""
    header = make_header(stamp_ns=1, frame_id='camera')
    pixels = np.zeros((24, 40, 3), np.uint8)
    with BagWriter(folder / 'drive') as writer:
        writer.add_topic('/cam/image', IMAGE)
        image = make_image(pixels, encoding='bgr8', header=header)
        writer.write('/cam/image', image, record_ns=1)
    return folder / 'drive'


@pytest.mark.parametrize(
    ('module', 'arguments', 'name'),
    [
        ('ros_node.segmenter_node', [], 'segmenter_node'),
        ('ros_node.multi_segmenter_node', ['--cameras', 'front', 'left'], 'multi_segmenter_node'),
        ('cli', ['bag', 'play', 'BAG'], 'stseg bag'),
        ('cli', ['bag', 'record', '--output', 'OUTPUT'], 'stseg bag'),
    ],
)
@pytest.mark.parametrize('keys', [True, False], ids=['no security', 'no keys'])
def test_security_that_cannot_be_is_one_line(
    tmp_path: Path, module: str, arguments: list[str], name: str, keys: bool
) -> None:
    if keys:
        write_keystore(tmp_path)
    places = {'BAG': str(write_bag(tmp_path)), 'OUTPUT': str(tmp_path / 'masks')}
    arguments = [places.get(argument, argument) for argument in arguments]
    security = {
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(tmp_path),
        'ROS_SECURITY_ENCLAVE_OVERRIDE': '/segmenter',
        'ROS_DOMAIN_ID': str(free_domain_id(42)),
    }
    ended = subprocess.run(
        [sys.executable, '-m', f'stseg_ros.{module}', *arguments],
        env={**os.environ, **security},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert 'Traceback' not in ended.stderr
    (line,) = (line for line in ended.stderr.splitlines() if line.startswith(f'{name}: '))
    assert line.startswith(f'{name}: ROS cannot {"make a node" if keys else "start"}: ')
    assert 'ROS_SECURITY_ENABLE is true: expected' in line


def test_only_security_that_was_asked_for_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('ROS_SECURITY_ENABLE', raising=False)
    rclpy.init(domain_id=free_domain_id(43))
    try:
        with (
            pytest.raises(ConfigError, match=r'^ROS cannot make a node: no room here$'),
            making_a_node(),
        ):
            raise RCLError('no room\n  here')
    finally:
        rclpy.shutdown()
    # What fails because ROS has been shut down is no fault of the user's.
    with pytest.raises(RCLError, match='no room'), making_a_node():
        raise RCLError('no room')


def test_a_signal_before_the_node_is_made_ends_the_process_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('ROS_DOMAIN_ID', str(free_domain_id(43)))
    begun: list[str] = []

    def run() -> None:
        # As rclpy does on SIGTERM.
        rclpy.shutdown()
        begun.append('the node')
        Node('late')

    run_process('segmenter_node', [], run)
    assert begun == ['the node']
    assert capsys.readouterr().err == ''
