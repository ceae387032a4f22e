"""Tests of the launch file for several cameras, where launch_ros and ros2cli are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.ros_launch import CHECKOUT, Launch, needs_ros2

LAUNCH_FILE = CHECKOUT / 'launch' / 'multi_camera.launch.py'


def declared(launch_file: Path) -> set[str]:
    """Name the arguments that are declared one by one."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(launch_file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, 'id', '') == 'DeclareLaunchArgument'
        and isinstance(node.args[0], ast.Constant)
    }


def constant(name: str) -> object:
    for node in ast.parse(LAUNCH_FILE.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f'{name} is not there')


def test_every_argument_of_one_camera_is_passed_on_or_left_out() -> None:
    alone = declared(LAUNCH_FILE.with_name('segment.launch.py'))
    passed_on, left_out = constant('PASSED_ON'), constant('LEFT_OUT')
    assert isinstance(passed_on, tuple)
    assert isinstance(left_out, dict)
    # The others are in its tables, which are used as they are.
    assert {*passed_on, *left_out, 'namespace'} == alone
    assert declared(LAUNCH_FILE) == {*passed_on, 'namespace', 'cameras', 'shared'}


@needs_ros2
@pytest.mark.ros
@pytest.mark.parametrize(('shared', 'processes'), [('true', 1), ('false', 3)])
def test_every_camera_has_a_namespace(
    environment: dict[str, str], tmp_path: Path, tiny_bundle: Path, shared: str, processes: int
) -> None:
    launch = Launch(
        LAUNCH_FILE,
        environment,
        tmp_path / 'out',
        'cameras:=front,left, right',
        f'shared:={shared}',
        'namespace:=robot',
        'image:=image_raw',
        f'bundle:={tiny_bundle}',
        'backend:=onnxruntime',
        'transport:=compressed',
    )
    try:
        launch.wait_for(
            *(f'[robot.{name}.segmenter]: bundle tiny' for name in ('front', 'left', 'right')),
            *(
                f'[robot.{name}.segmenter]: segmenting /robot/{name}/image_raw/compressed'
                for name in ('front', 'left', 'right')
            ),
        )
        assert launch.log.read_text().count('process started with pid') == processes
        launch.stop()
    finally:
        launch.kill()


@needs_ros2
@pytest.mark.ros
def test_one_camera_can_have_parameters_of_its_own(
    environment: dict[str, str], tmp_path: Path, tiny_bundle: Path
) -> None:
    parameters = tmp_path / 'cameras.yaml'
    parameters.write_text(
        '/**:\n  ros__parameters: {backend: onnxruntime}\n'
        '/left/segmenter:\n  ros__parameters: {transport: compressed}\n'
    )
    launch = Launch(
        LAUNCH_FILE,
        environment,
        tmp_path / 'out',
        'cameras:=front,left',
        f'params_file:={parameters}',
        f'bundle:={tiny_bundle}',
    )
    try:
        launch.wait_for(
            '[front.segmenter]: bundle tiny, onnxruntime',
            '[front.segmenter]: segmenting /front/image',
            '[left.segmenter]: segmenting /left/image/compressed',
        )
        assert 'segmenting /front/image/compressed' not in launch.log.read_text()
        launch.stop()
    finally:
        launch.kill()


@needs_ros2
@pytest.mark.ros
@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('cameras:=front,left,front', 'camera front is named twice'),
        ('cameras:=,', "cameras is ','; expected such as front,left,right"),
        ('image:=/camera/image_raw', 'one topic for all cameras; expected a name in the'),
        ('shared:=maybe', "shared is 'maybe'; expected true or false"),
    ],
    ids=str,
)
def test_wrong_arguments_are_told(
    environment: dict[str, str], tmp_path: Path, argument: str, message: str
) -> None:
    given = ['cameras:=front', 'shared:=false', argument]
    launch = Launch(LAUNCH_FILE, environment, tmp_path / 'out', *given)
    try:
        assert launch.process.wait(30) != 0
        assert message in launch.log.read_text()
    finally:
        launch.kill()
