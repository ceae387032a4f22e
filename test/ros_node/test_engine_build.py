"""Tests of a node whose backend has to build its engines first."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from support.ros_segmenter import free_domain_id, plain_image, running_script

pytestmark = pytest.mark.ros

TOLD = 'building the engines for this GPU: one is 40% done, trying tactics'


def test_the_build_is_told_until_it_ends(tmp_path: Path, tiny_bundle: Path) -> None:
    built = tmp_path / 'built'
    with running_script(
        tmp_path,
        free_domain_id(34),
        bundle=tiny_bundle,
        environment={'SCRIPTED_BUILD': str(built)},
    ) as (process, client):
        process.wait_for_log(TOLD)
        pairs = client.wait_for_status(lambda _, pairs: pairs['engines'] == TOLD, 'the build')
        assert pairs['state'] == 'configuring'
        built.touch()
        client.meet()
        client.segment(plain_image(0))
        client.wait_for_status(lambda _, pairs: pairs['engines'] == 'ok', 'its end')


def test_a_signal_stops_the_build(tmp_path: Path, tiny_bundle: Path) -> None:
    environment = {'SCRIPTED_BUILD': str(tmp_path / 'never')}
    with running_script(
        tmp_path, free_domain_id(35), bundle=tiny_bundle, environment=environment
    ) as (process, _):
        process.wait_for_log(TOLD)
        assert process.stop(signal.SIGINT) == 0
