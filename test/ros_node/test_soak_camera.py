"""The camera of a soak sends what it is told, and tells what it sent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from support.ros_segmenter import Client, free_domain_id, stamp_ns_of

from stseg_ros.errors import StsegError
from stseg_ros.soak.processes import CameraProcess

pytestmark = pytest.mark.ros

PATIENCE_S = 20.0
DOMAIN = free_domain_id(41)
SMALL = {'rate_hz': 50.0, 'size_hw': (30, 40), 'encoding': 'bgr8', 'seed': 5}


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[CameraProcess]:
    camera = CameraProcess(
        ['--topic', '/soak/image', '--transport', 'raw'],
        {**os.environ, 'ROS_DOMAIN_ID': str(DOMAIN)},
        tmp_path / 'camera.log',
    )
    yield camera
    camera.close()
    assert (tmp_path / 'camera.log').read_text() == ''


def obey(camera: CameraProcess, **order: Any) -> list[list[Any]]:
    """Give an order, wait until it is done, and return what was sent."""
    camera.order(**order)
    return await_end(camera)


def await_end(camera: CameraProcess) -> list[list[Any]]:
    deadline_s = time.monotonic() + PATIENCE_S
    sent: list[list[Any]] = []
    while time.monotonic() < deadline_s:
        for answer in camera.answers():
            if 'done' in answer:
                return sent
            sent += answer['sent']
        time.sleep(0.01)
    raise AssertionError('the camera does not say that it is done')


def test_what_it_tells_is_what_it_sends(camera: CameraProcess) -> None:
    client = Client(DOMAIN)
    received: list[Image] = []
    client.node.create_subscription(Image, '/soak/image', received.append, qos_profile_sensor_data)
    try:
        obey(camera, do='open')
        first: list[list[Any]] = []

        def heard() -> bool:
            first.extend(obey(camera, do='send', images=1, bad_share=0.0, **SMALL))
            return bool(received)

        client.wait_until(heard, 'the first image')
        received.clear()
        sent = obey(camera, do='send', images=12, bad_share=0.4, **SMALL)
        assert len(sent) == 12
        client.wait_until(
            lambda: received and stamp_ns_of(received[-1]) == sent[-1][0], 'the last image'
        )
        faults = {stamp_ns: fault for stamp_ns, _, fault in sent}
        assert 0 < sum(map(bool, faults.values())) < 12
        known = [message for message in received if stamp_ns_of(message) in faults]
        assert len(known) > 3
        for message in known:
            good = message.encoding == 'bgr8' and len(message.data) == 30 * 40 * 3
            good &= (message.height, message.width, message.step) == (30, 40, 120)
            assert good == (not faults[stamp_ns_of(message)])
        obey(camera, do='close')
    finally:
        client.close()


def test_the_seed_decides_what_is_spoiled(camera: CameraProcess) -> None:
    obey(camera, do='open')
    runs = [
        obey(camera, do='send', images=20, bad_share=0.5, **{**SMALL, 'rate_hz': 500.0})
        for _ in range(2)
    ]
    first, second = ([fault for _, _, fault in run] for run in runs)
    assert first == second
    stamps = [entry[0] for run in runs for entry in run]
    assert stamps == sorted(set(stamps))


def test_the_next_order_ends_what_is_being_sent(camera: CameraProcess) -> None:
    obey(camera, do='open')
    camera.order(do='send', images=100_000, bad_share=0.0, **SMALL)
    deadline_s = time.monotonic() + PATIENCE_S
    while not list(camera.answers()):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    camera.order()
    assert len(await_end(camera)) < 50_000
    # It is ready for the next one.
    assert len(obey(camera, do='send', images=2, bad_share=0.0, **SMALL)) == 2


def test_a_camera_that_has_ended_is_told(tmp_path: Path) -> None:
    camera = CameraProcess(['--no-such-option'], os.environ, tmp_path / 'camera.log')
    with pytest.raises(StsegError, match=r'the camera process .* has ended; see .*camera\.log'):
        await_end(camera)
    camera.close()
