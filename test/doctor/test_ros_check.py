"""Tests of ROS installations, whole and broken."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stseg_ros.doctor.finding import Status
from stseg_ros.doctor.probe import Probe
from stseg_ros.doctor.ros_check import RosCheck, judge

STEPS = ('rclpy 9.1.2', 'path /there/rclpy/__init__.py', 'rmw rmw_fastrtps_cpp')


def probe(*reports: str, failure: str = '', output: tuple[str, ...] = ()) -> Probe:
    return Probe(reports=reports, failure=failure, output=output)


def test_a_whole_one() -> None:
    found = judge(probe(*STEPS, 'node stseg_doctor'), {'ROS_DOMAIN_ID': '7'})
    assert found.status is Status.OK
    assert found.summary == 'rclpy 9.1.2 (kilted), rmw_fastrtps_cpp, domain 7'


@pytest.mark.parametrize(
    ('version', 'distribution'), [('3.3.16', 'humble'), ('7.1.6', 'jazzy'), ('9.1.2', 'kilted')]
)
def test_another_distribution_than_the_sourced_one(version: str, distribution: str) -> None:
    steps = probe(f'rclpy {version}', *STEPS[1:], 'node stseg_doctor')
    assert judge(steps, {'ROS_DISTRO': distribution}).status is Status.OK
    found = judge(steps, {'ROS_DISTRO': 'rolling'})
    assert found.status is Status.WARNING
    assert '/there/rclpy/__init__.py' in found.summary


def test_a_version_that_is_not_known_is_no_fault() -> None:
    steps = probe('rclpy 42.0.0', *STEPS[1:], 'node stseg_doctor')
    assert judge(steps, {'ROS_DISTRO': 'zither'}).status is Status.OK


def test_missing_messages() -> None:
    steps = probe(*STEPS, 'missing sensor_msgs', 'missing std_msgs', failure='ended with status 1')
    found = judge(steps, {})
    assert found.status is Status.ERROR
    assert 'sensor_msgs, std_msgs' in found.summary


def test_a_middleware_that_is_not_installed() -> None:
    said = ("[ERROR] [rcl]: Expected RMW implementation identifier of 'rmw_cyclonedds_cpp'",)
    environ = {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp', 'ROS_DISTRO': 'jazzy'}
    found = judge(probe(failure='ended with status 102', output=said), environ)
    assert found.status is Status.ERROR
    assert 'unset RMW_IMPLEMENTATION' in found.advice
    assert 'ros-jazzy-rmw-cyclonedds-cpp' in found.advice


def test_an_rclpy_of_another_python() -> None:
    said = (
        "ModuleNotFoundError: No module named 'rclpy._rclpy_pybind11'",
        'This is where the documentation lies.',
    )
    found = judge(probe(failure='ended with status 1', output=said), {})
    assert found.status is Status.ERROR
    assert 'rclpy._rclpy_pybind11' in found.summary
    assert "distribution's Python" in found.advice


def test_a_node_that_cannot_be_made() -> None:
    found = judge(probe(*STEPS, failure='crashed with SIGSEGV'), {})
    assert found.status is Status.ERROR
    assert 'crashed with SIGSEGV' in found.summary
    assert 'ROS_DOMAIN_ID' in found.advice


def test_no_rclpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    found = RosCheck(installations=tmp_path).run()
    assert found.status is Status.WARNING
    assert 'make setup' in found.advice
    (tmp_path / 'jazzy').mkdir()
    (tmp_path / 'jazzy' / 'setup.bash').touch()
    found = RosCheck(installations=tmp_path).run()
    assert f'source {tmp_path}/jazzy/setup.bash' in found.advice


def test_an_rclpy_that_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'rclpy.py').write_text('raise ImportError("librcl.so: cannot open")')
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')]))
    monkeypatch.setenv('PYTHONPATH', path)
    found = RosCheck().run()
    assert found.status is Status.ERROR
    assert 'librcl.so: cannot open' in found.summary


@pytest.mark.ros
def test_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rclpy = pytest.importorskip('rclpy', reason='needs rclpy')
    monkeypatch.delenv('RMW_IMPLEMENTATION', raising=False)
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    found = RosCheck().run()
    assert found.status is Status.OK
    assert found.details['path'] == rclpy.__file__
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_of_nobody_cpp')
    found = RosCheck().run()
    assert found.status is Status.ERROR
    assert 'unset RMW_IMPLEMENTATION' in found.advice
