"""Tests of the transport for real: images between two processes."""

from __future__ import annotations

import os

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from support.ros_segmenter import free_domain_id

from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.doctor.transport_check import TransportCheck

pytestmark = pytest.mark.ros

CHOICES = (
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'FASTDDS_BUILTIN_TRANSPORTS',
)
# Fewer than a subscription keeps, so that even a receiver that is late gets all of them.
IMAGES = 8


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a camera driver that knows nothing of us, in our own domain."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(free_domain_id(31)))
    return {name: value for name, value in os.environ.items() if name not in CHOICES}


def check(environ: dict[str, str], *sizes: str, patience_s: float = 20.0) -> Finding:
    return TransportCheck(sizes=sizes, images=IMAGES, patience_s=patience_s, environ=environ).run()


def test_small_images_all_arrive(environ: dict[str, str]) -> None:
    found = check(environ, '64x48')
    assert found.status is Status.OK
    plain, with_profile = found.details['deliveries']
    for delivery in (plain, with_profile):
        assert delivery['sent'] == delivery['received'] == {'64x48': IMAGES}
        assert delivery['carried_by'] == 'shared memory'
    assert (plain['setup'], with_profile['setup']) == (
        'as this shell is',
        'with config/fastdds.xml',
    )


def test_camera_images_arrive_with_the_profile(environ: dict[str, str]) -> None:
    found = check(environ, '640x480', '1280x720')
    _, with_profile = found.details['deliveries']
    assert with_profile['sent'] == {'640x480': IMAGES, '1280x720': IMAGES}
    assert all(0 < count <= IMAGES for count in with_profile['received'].values())
    assert with_profile['carried_by'] == 'shared memory'


def test_the_users_choice_is_left_alone(environ: dict[str, str]) -> None:
    environ['FASTDDS_BUILTIN_TRANSPORTS'] = 'UDPv4'
    found = check(environ, '64x48')
    (delivery,) = found.details['deliveries']
    assert delivery['setup'] == 'as this shell is'
    assert delivery['received'] == {'64x48': IMAGES}
    assert found.details['chosen'] == {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}


def test_processes_that_do_not_hear_each_other(environ: dict[str, str]) -> None:
    environ['ROS_DOMAIN_ID'] = str(int(os.environ['ROS_DOMAIN_ID']) + 1)
    found = check(environ, '64x48', patience_s=2.0)
    assert found.status is Status.ERROR
    assert 'heard nothing of each other in 2 s' in found.summary
    assert 'ROS_DOMAIN_ID' in found.advice


def test_a_sender_that_does_not_start(environ: dict[str, str]) -> None:
    environ['RMW_IMPLEMENTATION'] = 'rmw_of_nobody_cpp'
    found = check(environ, '64x48')
    assert found.status is Status.ERROR
    assert 'the sender ended with status' in found.summary
