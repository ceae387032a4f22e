"""Starts the segmenter for several cameras, in one process on shared networks or in one each."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.launch_description_sources.python_launch_file_utilities import (
    load_python_launch_file_as_module,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from stseg_ros.ros_node.many_cameras.camera_names import camera_names

SHARE = Path(__file__).resolve().parent.parent
ONE_CAMERA = SHARE / 'launch' / 'segment.launch.py'
# What segment.launch.py takes with the same meaning, beside its TEXTS and FLAGS.
PASSED_ON = ('image', 'params_file', 'log_level')
# What it also takes, and what makes no sense for each of several cameras.
LEFT_OUT = {'bag': '', 'rviz': 'false'}

segment = load_python_launch_file_as_module(str(ONE_CAMERA))


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(
            'cameras', description='namespaces of the cameras with commas between: front,left'
        ),
        DeclareLaunchArgument(
            'shared',
            default_value='true',
            description='true: one process and one pair of networks for all cameras; '
            'false: a process for each',
        ),
        DeclareLaunchArgument(
            'image',
            default_value='image',
            description='camera image topic, in the namespace of each camera',
        ),
        DeclareLaunchArgument(
            'namespace', default_value='', description="namespace of all the cameras' namespaces"
        ),
        DeclareLaunchArgument(
            'params_file',
            default_value=str(SHARE / 'config' / 'segment.yaml'),
            description='parameter file; /** stands for all cameras, /front/segmenter for one',
        ),
        *(
            DeclareLaunchArgument(
                name, default_value='', description=f'{text}; empty: as params_file says'
            )
            for name, text in {**segment.TEXTS, **segment.FLAGS}.items()
        ),
        DeclareLaunchArgument('log_level', default_value='info', description='level of the log'),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    cameras = [name.strip() for name in value('cameras').split(',') if name.strip()]
    if not cameras:
        raise ValueError(f'cameras is {value("cameras")!r}; expected such as front,left,right')
    camera_names(cameras)  # Raises where one is no namespace, or is there twice.
    if value('image').startswith('/'):
        raise ValueError(
            f'image is {value("image")!r}, one topic for all cameras; expected a name in the '
            'namespace of each, such as image_raw'
        )
    namespace = value('namespace').rstrip('/')
    if not segment.flag('shared', value('shared')):
        names = (*PASSED_ON, *segment.TEXTS, *segment.FLAGS)
        passed_on = {**LEFT_OUT, **{name: value(name) for name in names}}
        return [alone(camera, namespace, passed_on) for camera in cameras]
    given = {name: value(name) for name in segment.TEXTS if value(name)}
    given |= {name: segment.flag(name, value(name)) for name in segment.FLAGS if value(name)}
    shared = Node(
        package='stseg_ros',
        executable='multi_segmenter_node',
        # No name: it would rename the nodes of all cameras.
        namespace=namespace,
        parameters=[value('params_file'), *([given] if given else [])],
        remappings=[('image', value('image'))],
        arguments=['--cameras', *cameras, '--ros-args', '--log-level', value('log_level')],
        output='screen',
        emulate_tty=True,
    )
    return [shared]


def alone(camera: str, namespace: str, passed_on: dict[str, str]) -> IncludeLaunchDescription:
    arguments = {**passed_on, 'namespace': f'{namespace}/{camera}' if namespace else camera}
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(ONE_CAMERA)), launch_arguments=arguments.items()
    )
