"""Tests that what is published is recorded as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from support.ros_segmenter import PATIENCE_S, free_domain_id

from stseg_ros.ros_node import bag_player, bag_recorder
from stseg_ros.ros_node.bag_node import plain_node
from stseg_ros.sources.bag_messages import IMAGE, make_header, make_image
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.bag_writer import BagWriter

pytestmark = pytest.mark.ros

TOPICS = ('/front/image', '/rear/image')


@pytest.fixture(autouse=True)
def domain_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_DOMAIN_ID', str(free_domain_id(23)))


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Return a bag of five small images on each of two topics."""
    with BagWriter(tmp_path / 'drive') as writer:
        for topic in TOPICS:
            writer.add_topic(topic, IMAGE)
        for index in range(5):
            stamp_ns = (1000 + index) * 50_000_000
            header = make_header(stamp_ns=stamp_ns, frame_id='camera')
            for level, topic in enumerate(TOPICS):
                pixels = np.full((4, 6, 3), 10 * index + level, np.uint8)
                message = make_image(pixels, encoding='rgb8', header=header)
                writer.write(topic, message, record_ns=stamp_ns)
    return tmp_path / 'drive'


@pytest.fixture
def recorders() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def start(
    recorders: list[subprocess.Popen[str]], output: Path, *options: str
) -> subprocess.Popen[str]:
    """Start recording, and wait until it has said so."""
    command = ['bag', 'record', '--output', str(output), *options]
    checkout = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, '-m', 'stseg_ros.cli', *command],
        env={**os.environ, 'PYTHONPATH': str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    recorders.append(process)
    assert process.stdout is not None
    assert process.stdout.readline().startswith('recording ')
    return process


def play(bag: Path, topics: tuple[str, ...]) -> None:
    assert (
        bag_player.play(
            bag,
            rate=1.0,
            loop=False,
            clock=False,
            topics=topics,
            publish_log=None,
            wait_for_subscribers=1,
        )
        == 0
    )


def contents(bag: Path) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    with BagReader(bag) as reader:
        for message in reader.messages():
            found.setdefault(message.topic, []).append(bytes(message.cdr))
    return found


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_what_is_played_is_recorded_byte_for_byte_until_told_to_stop(
    number: int, drive: Path, tmp_path: Path, recorders: list[subprocess.Popen[str]]
) -> None:
    options = [word for topic in TOPICS for word in ('--topic', topic)]
    recorder = start(recorders, tmp_path / 'again', *options)
    play(drive, ())
    recorder.send_signal(number)
    said, complaints = recorder.communicate(timeout=PATIENCE_S)
    assert (recorder.returncode, complaints) == (0, '')
    assert said == f'{tmp_path}/again: 5 messages on /front/image, 5 messages on /rear/image\n'
    assert contents(tmp_path / 'again') == contents(drive)


def test_the_time_ends_it_and_one_silent_topic_does_not_matter(
    drive: Path, tmp_path: Path, recorders: list[subprocess.Popen[str]]
) -> None:
    options = ['--topic', '/rear/image', '--topic', '/nothing', '--seconds', '1']
    recorder = start(recorders, tmp_path / 'again', *options)
    play(drive, ('/rear/image',))
    said, _ = recorder.communicate(timeout=PATIENCE_S)
    assert recorder.returncode == 0
    assert said == f'{tmp_path}/again: 5 messages on /rear/image, 0 messages on /nothing\n'
    expected = contents(drive)['/rear/image']
    assert contents(tmp_path / 'again') == {'/rear/image': expected}


class StopAfter:
    """A request to stop that comes when it has been asked for so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_silence_is_explained_once_while_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bag_recorder, '_SILENCE_S', 0.0)
    monkeypatch.setattr(bag_recorder, '_SETTLE_S', 0.0)
    with plain_node('recorder') as node:
        writer = BagWriter(tmp_path / 'bag')
        recording = bag_recorder._Recording(node, writer, ('/mask', '/depth'), lambda: None)
        recording.spin(StopAfter(5), None)
        told = capsys.readouterr().err
        assert told.startswith('nobody publishes /mask, /depth yet; topics there are: ')
        assert told.count('\n') == 1

        # One of them is published, but nothing is sent.
        recording._awaited.remove('/mask')
        recording.spin(StopAfter(5), None)
        told = capsys.readouterr().err
        assert told.startswith('no message came on /mask, /depth yet; /mask has a publisher')

        recording.spin(StopAfter(0), None)
        assert capsys.readouterr().err == ''


def test_silence_is_explained_and_leaves_no_bag(
    tmp_path: Path, recorders: list[subprocess.Popen[str]]
) -> None:
    recorder = start(recorders, tmp_path / 'masks')
    recorder.send_signal(signal.SIGINT)
    _, complaints = recorder.communicate(timeout=PATIENCE_S)
    assert recorder.returncode == 2
    assert 'nobody publishes /mask, /frame_timing, so no bag was written' in complaints
    assert complaints.count('\n') == 1
    assert list(tmp_path.iterdir()) == []
