"""Starts the segmenter, and if asked a bag and RViz."""

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from stseg_ros.ros_node.transport import large_image_environment

SHARE = Path(__file__).resolve().parent.parent
READY = b'segmenting /'
QUIET_LEVELS = ('warn', 'error', 'fatal')
# Launch arguments that override a node parameter of the same name, where they are given.
TEXTS = {
    'bundle': 'name of a shipped model bundle, or the path of a bundle folder',
    'backend': 'auto, or the inference backend to use',
    'precision': 'default, or float32 for exact FP32',
    'transport': 'raw or compressed',
}
FLAGS = {
    'autostart': 'whether the node configures and activates itself, true or false',
    'use_sim_time': 'whether the node takes its time from /clock, true or false',
}


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument('image', default_value='image', description='camera image topic'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='namespace of the node and its topics'
        ),
        DeclareLaunchArgument(
            'params_file',
            default_value=str(SHARE / 'config' / 'segment.yaml'),
            description='parameter file of the node',
        ),
        *(
            DeclareLaunchArgument(
                name, default_value='', description=f'{text}; empty: as params_file says'
            )
            for name, text in {**TEXTS, **FLAGS}.items()
        ),
        DeclareLaunchArgument(
            'bag', default_value='', description='bag to play with `ros2 bag play --clock`'
        ),
        DeclareLaunchArgument(
            'rviz', default_value='false', description='whether to show the overlay in RViz'
        ),
        DeclareLaunchArgument('log_level', default_value='info', description='level of the log'),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    given = {name: value(name) for name in TEXTS if value(name)}
    given |= {name: flag(name, value(name)) for name in FLAGS if value(name)}
    segmenter = Node(
        package='stseg_ros',
        executable='segmenter_node',
        name='segmenter',
        namespace=value('namespace'),
        parameters=[value('params_file'), *([given] if given else [])],
        remappings=[('image', value('image'))],
        arguments=['--ros-args', '--log-level', value('log_level')],
        output='screen',
        emulate_tty=True,
    )
    entities: list[LaunchDescriptionEntity] = []
    if value('bag'):
        entities += play_when_ready(segmenter, value('bag'), value('log_level'))
    entities.append(segmenter)
    if flag('rviz', value('rviz')):
        entities.append(show_in_rviz(value('namespace')))
    return entities


def flag(name: str, text: str) -> bool:
    values = {'true': True, 'false': False}
    if text.lower() not in values:
        raise ValueError(f'{name} is {text!r}; expected true or false')
    return values[text.lower()]


def play_when_ready(segmenter: Node, bag: str, log_level: str) -> list[LaunchDescriptionEntity]:
    player = ExecuteProcess(
        cmd=['ros2', 'bag', 'play', bag, '--clock'],
        additional_env=large_image_environment(os.environ),
        output='screen',
    )
    if log_level.lower() in QUIET_LEVELS:
        return [player]
    started = False

    def play_once(event: ProcessIO) -> ExecuteProcess | None:
        nonlocal started
        if started or READY not in event.text:
            return None
        started = True
        return player

    handler = OnProcessIO(target_action=segmenter, on_stdout=play_once, on_stderr=play_once)
    return [RegisterEventHandler(handler)]


def show_in_rviz(namespace: str) -> Node:
    return Node(
        package='rviz2',
        executable='rviz2',
        namespace=namespace,
        arguments=['-d', str(SHARE / 'config' / 'segment.rviz')],
        # The layout names topics of the root; these move into the namespace.
        remappings=[(f'/{topic}', topic) for topic in ('overlay', 'mask', 'confidence')],
    )
