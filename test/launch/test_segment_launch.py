"""Tests of the launch file: its text everywhere, its run where launch_ros and ros2cli are."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
LAUNCH_FILE = CHECKOUT / 'launch' / 'segment.launch.py'
HAS_LAUNCH_ROS = importlib.util.find_spec('launch_ros') is not None
PATIENCE_S = 30.0


def read_yaml(name: str) -> Any:
    return yaml.safe_load((CHECKOUT / 'config' / name).read_text())


def test_the_parameter_file_states_every_parameter_with_its_default() -> None:
    parameters = pytest.importorskip('stseg_ros.ros_node.parameters', reason='needs rclpy')
    stated = read_yaml('segment.yaml')['/**']['ros__parameters']
    assert stated == dataclasses.asdict(parameters.NodeParameters())
    # ROS takes 1 for an integer and refuses it where a number with a point is expected.
    for name, value in stated.items():
        assert type(value) is type(getattr(parameters.NodeParameters(), name))


def test_the_parameter_file_marks_what_is_live() -> None:
    parameters = pytest.importorskip('stseg_ros.ros_node.parameters', reason='needs rclpy')
    text = (CHECKOUT / 'config' / 'segment.yaml').read_text()
    marked = set(re.findall(r'# Live\. [^\n]*\n\s+(\w+):', text))
    assert marked == {spec.name for spec in parameters.SPECS if spec.live}


def test_the_rviz_layout_shows_our_topics() -> None:
    displays = read_yaml('segment.rviz')['Visualization Manager']['Displays']
    topics = [display['Topic']['Value'] for display in displays]
    assert topics == ['/overlay', '/mask', '/confidence']
    tree = ast.parse(LAUNCH_FILE.read_text())
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {topic.lstrip('/') for topic in topics} <= words


def test_the_launch_file_waits_for_a_line_that_the_node_logs() -> None:
    line = re.search(r"READY = b'([^']*)'", LAUNCH_FILE.read_text())
    assert line is not None
    node = (CHECKOUT / 'stseg_ros' / 'ros_node' / 'segmenter_node.py').read_text()
    assert f"f'{line[1].rstrip('/')}{{self._input.topic}}'" in node


def test_the_launch_files_arguments_are_the_nodes_parameters() -> None:
    parameters = pytest.importorskip('stseg_ros.ros_node.parameters', reason='needs rclpy')
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(LAUNCH_FILE.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Dict)
    }
    defaults = dataclasses.asdict(parameters.NodeParameters())
    # An argument arrives as text, and only flags are turned into something else.
    assert {type(defaults[name]) for name in tables['TEXTS']} == {str}
    # Whether time comes from /clock is a parameter of every node.
    assert {type(defaults.get(name, False)) for name in tables['FLAGS']} == {bool}
    assert {'bundle', 'backend', 'precision'} <= tables['TEXTS'].keys()


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Lay out what `colcon build` installs."""
    share = tmp_path / 'share'
    for name in ('launch', 'config'):
        shutil.copytree(CHECKOUT / name, share / 'stseg_ros' / name)
    index = share / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'stseg_ros').touch()
    executable = tmp_path / 'lib' / 'stseg_ros' / 'segmenter_node'
    executable.parent.mkdir(parents=True)
    executable.write_text(
        f'#!{sys.executable}\nfrom stseg_ros.ros_node.segmenter_node import main\nmain()\n'
    )
    executable.chmod(0o755)
    return tmp_path


@pytest.fixture
def environment(prefix: Path, tmp_path: Path) -> dict[str, str]:
    paths = {
        'AMENT_PREFIX_PATH': prefix,
        'PYTHONPATH': CHECKOUT,
        # `ros2 bag` is played by our own player, which has the same arguments.
        'PATH': tmp_path / 'bin',
    }
    joined = {
        name: os.pathsep.join([str(path), *filter(None, [os.environ.get(name)])])
        for name, path in paths.items()
    }
    return {
        **os.environ,
        **joined,
        'ROS_LOG_DIR': str(tmp_path / 'log'),
        'ROS_DOMAIN_ID': str(10 + os.getpid() % 90),
    }


class Launch:
    """A running `ros2 launch`."""

    def __init__(self, environment: dict[str, str], log: Path, *arguments: str) -> None:
        ros2 = shutil.which('ros2')
        assert ros2 is not None
        self.log = log
        with log.open('w') as output:
            self.process = subprocess.Popen(
                [sys.executable, ros2, 'launch', 'stseg_ros', 'segment.launch.py', *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, *texts: str) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not all(text in self.log.read_text() for text in texts):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline_s, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        # As Ctrl-C in a terminal: to the launcher and to what it started.
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.wait(PATIENCE_S) == 0, self.log.read_text()
        assert 'Traceback' not in self.log.read_text()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


needs_ros2 = pytest.mark.skipif(
    not HAS_LAUNCH_ROS or shutil.which('ros2') is None, reason='needs launch_ros and ros2cli'
)


@needs_ros2
@pytest.mark.ros
def test_arguments_reach_the_node(
    environment: dict[str, str], tmp_path: Path, tiny_bundle: Path
) -> None:
    launch = Launch(
        environment,
        tmp_path / 'out',
        'namespace:=front',
        'image:=/camera/image_raw',
        f'bundle:={tiny_bundle}',
        'backend:=onnxruntime',
        'precision:=float32',
        'transport:=compressed',
    )
    try:
        launch.wait_for(
            '[front.segmenter]: bundle tiny, onnxruntime',
            '[front.segmenter]: segmenting /camera/image_raw/compressed',
        )
        launch.stop()
    finally:
        launch.kill()


@needs_ros2
@pytest.mark.ros
def test_a_bag_is_played_once_the_node_listens(
    environment: dict[str, str], tmp_path: Path, tiny_bundle: Path
) -> None:
    stand_in = tmp_path / 'bin' / 'ros2'
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\necho played with "$@" and "$FASTDDS_DEFAULT_PROFILES_FILE"\n')
    stand_in.chmod(0o755)
    launch = Launch(
        environment, tmp_path / 'out', f'bundle:={tiny_bundle}', 'bag:=drive', 'use_sim_time:=true'
    )
    try:
        launch.wait_for('played with bag play drive --clock and /', 'config/fastdds.xml')
        log = launch.log.read_text()
        assert log.index('segmenting /image') < log.index('played with')
        launch.stop()
    finally:
        launch.kill()
