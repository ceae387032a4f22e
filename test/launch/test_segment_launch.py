"""Tests of the launch file: its text everywhere, its run where launch_ros and ros2cli are."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.ros_launch import CHECKOUT, Launch, needs_ros2

LAUNCH_FILE = CHECKOUT / 'launch' / 'segment.launch.py'


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


@needs_ros2
@pytest.mark.ros
def test_arguments_reach_the_node(
    environment: dict[str, str], tmp_path: Path, tiny_bundle: Path
) -> None:
    launch = Launch(
        LAUNCH_FILE,
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
        LAUNCH_FILE,
        environment,
        tmp_path / 'out',
        f'bundle:={tiny_bundle}',
        'bag:=drive',
        'use_sim_time:=true',
    )
    try:
        launch.wait_for('played with bag play drive --clock and /', 'config/fastdds.xml')
        log = launch.log.read_text()
        assert log.index('segmenting /image') < log.index('played with')
        launch.stop()
    finally:
        launch.kill()
