"""`stseg bag` as its users call it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from stseg_ros import ros_node
from stseg_ros.cli import main
from stseg_ros.sources.bag_reader import BagReader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of three pictures."""
    images = tmp_path / 'images'
    images.mkdir()
    for index in range(3):
        assert cv2.imwrite(str(images / f'{index}.png'), np.full((6, 8, 3), index, np.uint8))
    return images


def bag(*arguments: object) -> int:
    """Call `stseg bag`."""
    return main(['bag', *(str(argument) for argument in arguments)])


def test_from_images_and_info(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'bag'
    assert bag('from-images', folder, '--rate', 5, '--output', output) == 0
    assert '3 images on /camera/image, 0.400 s' in capsys.readouterr().out
    assert bag('info', output) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == [
        '/camera/image',
        'sensor_msgs/msg/Image',
        '3',
        '5.00',
        'Hz',
        '8x6',
        'bgr8',
    ]


def test_from_images_with_every_option(tmp_path: Path, folder: Path) -> None:
    output = tmp_path / 'bag'
    options = ['--topic', '/left/image', '--frame-id', 'left', '--compressed']
    options += ['--storage', 'sqlite3', '--start-time', '1317042145.964389445']
    assert bag('from-images', folder, '--rate', 10, '--output', output, *options) == 0
    with BagReader(output) as reader:
        assert reader.storage == 'sqlite3'
        recorded = list(reader.messages())
    assert {message.topic for message in recorded} == {'/left/image/compressed'}
    assert [message.record_ns for message in recorded] == [
        1_317_042_145_964_389_445,
        1_317_042_146_064_389_445,
        1_317_042_146_164_389_445,
    ]
    assert recorded[0].deserialize().header.frame_id == 'left'
    assert bytes(recorded[2].deserialize().data) == (folder / '2.png').read_bytes()


def test_kitti_times_and_calibration(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = tmp_path / '2011_09_26' / '2011_09_26_drive_0001_sync'
    (drive / 'image_02').mkdir(parents=True)
    folder.rename(drive / 'image_02' / 'data')
    (drive / 'image_02' / 'timestamps.txt').write_text(
        '1970-01-01 00:00:05.5\n1970-01-01 00:00:05.6\n1970-01-01 00:00:05.8\n'
    )
    projection = 'P_rect_02: 700 0 4 1 0 700 3 2 0 0 1 3'
    (drive.parent / 'calib_cam_to_cam.txt').write_text(f'S_rect_02: 8 6\n{projection}\n')
    assert bag('from-images', drive, '--output', tmp_path / 'bag') == 0
    assert 'calibration on /camera/camera_info' in capsys.readouterr().out
    with BagReader(tmp_path / 'bag') as reader:
        assert {topic.name: topic.count for topic in reader.topics} == {
            '/camera/camera_info': 3,
            '/camera/image': 3,
        }
        infos = list(reader.messages(['/camera/camera_info']))
    assert [info.record_ns for info in infos] == [5_500_000_000, 5_600_000_000, 5_800_000_000]
    assert infos[0].deserialize().p.tolist() == [700, 0, 4, 1, 0, 700, 3, 2, 0, 0, 1, 3]


def test_an_unreadable_image_is_left_out_and_counted(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / '1.png').write_bytes(b'text')
    output = tmp_path / 'bag'
    assert bag('from-images', folder, '--rate', 5, '--output', output) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith(f'stseg bag from-images: {folder}/1.png: left out: image data')
    assert f'{output}: 2 images on /camera/image, 0.400 s' in shown.out
    assert f'{output}: 1 of 3 images could not be used' in shown.out
    assert bag('from-images', folder, '--rate', 5, '--output', tmp_path / 'b', '--strict') == 2
    assert '1.png: cannot be used: image data' in capsys.readouterr().err
    assert not (tmp_path / 'b').exists()


def test_two_calls_make_equal_bags(tmp_path: Path, folder: Path) -> None:
    for name in ('one', 'two'):
        assert bag('from-images', folder, '--rate', 30, '--output', tmp_path / name / 'bag') == 0
    one, two = ((tmp_path / name / 'bag' / 'bag.mcap').read_bytes() for name in ('one', 'two'))
    assert one == two


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['from-images', 'images', '--output', 'bag'], 'give the images per second with --rate'),
        (['from-images', 'images', '--rate', '0', '--output', 'bag'], 'rate is 0 Hz'),
        (['from-images', 'images', '--rate', '9', '--output', 'images'], 'exists already'),
        (['from-images', 'nowhere', '--rate', '9', '--output', 'bag'], 'no such folder'),
        (
            ['from-images', 'images', '--rate', '9', '--output', 'bag', '--topic', 'image'],
            "'image' is not an absolute name",
        ),
        (
            ['from-images', 'images', '--rate', '9', '--output', 'bag', '--start-time', 'now'],
            "start-time is 'now'",
        ),
        (
            ['from-images', 'images', '--rate', '9', '--output', 'bag', '--start-time', 'nan'],
            "start-time is 'nan'",
        ),
        (
            ['from-images', 'images', '--rate', '9', '--output', 'bag', '--start-time=-1'],
            "start-time is '-1'",
        ),
        (['info', 'nowhere'], 'nowhere: no such bag'),
        (['info', 'images'], 'images: is not a bag'),
        (['play', 'nowhere', '--rate', '0'], 'rate is 0'),
        (['play', 'nowhere', '--rate', 'nan'], 'rate is nan'),
        (['play', 'nowhere', '--wait-for-subscribers=-1'], 'expected 0 or more'),
        (['record', '--output', 'images'], 'exists already'),
        (['record', '--output', 'bag', '--topic', 'mask'], "'mask' is not an absolute name"),
        (['record', '--output', 'bag', '--seconds', '0'], 'seconds is 0; expected above 0'),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder.parent)
    assert bag(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert '\n' not in error
    assert [path.name for path in folder.parent.iterdir()] == ['images']


def test_play_hands_its_arguments_over(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, dict[str, object]]] = []

    def play(path: Path, **options: object) -> int:
        calls.append((path, options))
        return 7

    player = ModuleType('bag_player')
    player.play = play
    monkeypatch.setitem(sys.modules, 'stseg_ros.ros_node.bag_player', player)
    monkeypatch.setattr(ros_node, 'bag_player', player, raising=False)
    assert bag('play', 'drive') == 7
    options = ['--rate', '0.5', '--loop', '--clock', '--topic', '/a', '--topic', '/b']
    options += ['--publish-log', 'log.csv', '--wait-for-subscribers', '2']
    assert bag('play', 'drive', *options) == 7
    assert calls == [
        (
            Path('drive'),
            {
                'rate': 1.0,
                'loop': False,
                'clock': False,
                'topics': (),
                'publish_log': None,
                'wait_for_subscribers': 0,
            },
        ),
        (
            Path('drive'),
            {
                'rate': 0.5,
                'loop': True,
                'clock': True,
                'topics': ('/a', '/b'),
                'publish_log': Path('log.csv'),
                'wait_for_subscribers': 2,
            },
        ),
    ]


@pytest.mark.parametrize(
    ('arguments', 'module', 'what'),
    [
        (['play', 'drive'], 'bag_player', 'playing'),
        (['record', '--output', 'masks'], 'bag_recorder', 'recording'),
    ],
)
def test_without_ros_they_say_so(
    arguments: list[str],
    module: str,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, f'stseg_ros.ros_node.{module}', None)
    monkeypatch.delattr(ros_node, module, raising=False)
    assert bag(*arguments) == 2
    assert f'{what} needs ROS 2 in this Python' in capsys.readouterr().err


@pytest.mark.parametrize('action', ['from-images', 'info', 'play', 'record'])
def test_help_of_each_action_has_an_example(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        bag(action, '--help')
    assert exit_info.value.code == 0
    assert f'  stseg bag {action} ' in capsys.readouterr().out
