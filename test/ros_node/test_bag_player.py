"""Tests that a bag is played as it was recorded."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from support.ros_segmenter import PATIENCE_S, free_domain_id

from stseg_ros.errors import DataError
from stseg_ros.ros_node import bag_node, bag_player
from stseg_ros.sources.bag_messages import CAMERA_INFO, IMAGE, make_camera_info, make_header
from stseg_ros.sources.bag_messages import make_image as make_bag_image
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.bag_writer import BagWriter
from stseg_ros.sources.kitti_files import CameraCalibration

pytestmark = pytest.mark.ros

START_NS = 1_500_000_000_123_456_789
# Recorded 40 ms later than exposed, at uneven intervals.
OFFSETS_MS = (0, 10, 30, 60, 65, 90)
RECORD_NS = [START_NS + 40_000_000 + offset * 1_000_000 for offset in OFFSETS_MS]
STAMPS_NS = [START_NS + offset * 1_000_000 for offset in OFFSETS_MS]


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('bags') / 'drive'
    random = np.random.default_rng(3)
    calibration = CameraCalibration(size_hw=(24, 40), projection_3x4=tuple(range(12)))
    with BagWriter(path) as writer:
        writer.add_topic('/cam/image', IMAGE)
        writer.add_topic('/cam/camera_info', CAMERA_INFO)
        for stamp_ns, record_ns in zip(STAMPS_NS, RECORD_NS, strict=True):
            header = make_header(stamp_ns=stamp_ns, frame_id='left')
            pixels = random.integers(0, 256, (24, 40, 3), np.uint8)
            image = make_bag_image(pixels, encoding='bgr8', header=header)
            writer.write('/cam/image', image, record_ns=record_ns)
            info = make_camera_info(calibration, header=header)
            writer.write('/cam/camera_info', info, record_ns=record_ns)
    return path


class Listener:
    """Keeps what is published, byte for byte."""

    def __init__(self, domain_id: int) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.node = rclpy.create_node('listener', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = {}

    def listen(self, topic: str, message_type: type, *, raw: bool = True) -> None:
        heard = self.heard.setdefault(topic, [])
        qos = QoSProfile(depth=1000)
        self.node.create_subscription(message_type, topic, heard.append, qos, raw=raw)

    def wait_for(self, topic: str, count: int) -> list[Any]:
        heard = self.heard[topic]
        self.wait_until(lambda: len(heard) >= count)
        return heard

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            counts = {topic: len(heard) for topic, heard in self.heard.items()}
            assert time.monotonic() < deadline_s, f'in vain; heard {counts}'
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    domain_id = free_domain_id(8)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain_id))
    listener = Listener(domain_id)
    yield listener
    listener.close()


def play(bag: Path, **changes: Any) -> int:
    options: dict[str, Any] = {
        'rate': 5.0,
        'loop': False,
        'clock': False,
        'topics': (),
        'publish_log': None,
        'wait_for_subscribers': 0,
    }
    return bag_player.play(bag, **(options | changes))


def recorded(bag: Path, topic: str) -> list[bytes]:
    with BagReader(bag) as reader:
        return [bytes(message.cdr) for message in reader.messages([topic])]


def test_messages_come_byte_for_byte(
    bag: Path, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    listener.listen('/cam/image', Image)
    listener.listen('/cam/camera_info', CameraInfo)
    assert play(bag, wait_for_subscribers=1) == 0
    said = capsys.readouterr()
    first, last = said.out.splitlines()
    # 90 ms at five times their speed.
    topics = '/cam/camera_info, /cam/image'
    assert first == (
        f'{bag}: playing 12 messages on {topics} in 0.0 s, once every image topic has 1 subscriber'
    )
    assert re.fullmatch(rf'{bag}: played 12 messages in \d+\.\d s', last)
    assert said.err == ''
    for topic in ('/cam/image', '/cam/camera_info'):
        assert listener.wait_for(topic, 6) == recorded(bag, topic)


def test_headers_survive(bag: Path, listener: Listener) -> None:
    listener.listen('/cam/image', Image, raw=False)
    play(bag, wait_for_subscribers=1)
    images = listener.wait_for('/cam/image', 6)
    stamps_ns = [image.header.stamp.sec * 10**9 + image.header.stamp.nanosec for image in images]
    assert stamps_ns == STAMPS_NS
    assert {image.header.frame_id for image in images} == {'left'}


def test_only_the_wanted_topics_are_played(bag: Path, listener: Listener, tmp_path: Path) -> None:
    listener.listen('/cam/image', Image)
    log = tmp_path / 'log.jsonl'
    play(bag, topics=('/cam/image',), wait_for_subscribers=1, publish_log=log)
    listener.wait_for('/cam/image', 6)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry['topic'] for entry in entries] == ['/cam/image'] * 6
    assert [entry['stamp_ns'] for entry in entries] == STAMPS_NS


class FakeTime:
    """A clock that only sleeping moves, and that oversleeps."""

    def __init__(self) -> None:
        self.now_ns = 50_000_000_000

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9) + 200_000


@pytest.mark.parametrize('rate', [1.0, 0.5, 4.0])
def test_the_schedule_neither_drifts_nor_runs_ahead(
    bag: Path, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    monkeypatch.setattr(bag_player, 'time', FakeTime())
    log = tmp_path / 'log.jsonl'
    play(bag, rate=rate, topics=('/cam/image',), publish_log=log)
    times_ns = [json.loads(line)['publish_monotonic_ns'] for line in log.read_text().splitlines()]
    late_ms = [
        (time_ns - 50_000_000_000) / 1e6 - offset_ms / rate
        for time_ns, offset_ms in zip(times_ns, OFFSETS_MS, strict=True)
    ]
    # Every sleep is 0.2 ms too long, and none of them adds to the next.
    assert all(-0.01 < late < 0.25 for late in late_ms)


def test_the_clock_ticks_from_first_to_last_record(bag: Path, listener: Listener) -> None:
    listener.listen('/cam/image', Image)
    listener.listen('/clock', Clock, raw=False)
    play(bag, rate=1.0, clock=True, wait_for_subscribers=1)
    ticks_ns: list[int] = []

    def last_tick_came() -> bool:
        clocks = [tick.clock for tick in listener.heard['/clock']]
        ticks_ns[:] = [clock.sec * 10**9 + clock.nanosec for clock in clocks]
        return RECORD_NS[-1] in ticks_ns

    listener.wait_until(last_tick_came)
    assert ticks_ns == sorted(ticks_ns)
    assert set(RECORD_NS) <= set(ticks_ns)
    assert (ticks_ns[0], ticks_ns[-1]) == (RECORD_NS[0], RECORD_NS[-1])
    # 90 ms hold at least three ticks of 25 ms between the messages.
    assert len(ticks_ns) > 2 * len(RECORD_NS)


def test_too_few_subscribers_are_an_error(
    bag: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bag_player, '_SUBSCRIBERS_TIMEOUT_S', 0.2)
    with pytest.raises(DataError, match=r'2 subscribers; /cam/image has 0'):
        play(bag, wait_for_subscribers=2)


def test_an_unknown_topic_is_an_error(bag: Path, listener: Listener) -> None:
    with pytest.raises(DataError, match=r'no topic /nope; it has /cam/camera_info, /cam/image'):
        play(bag, topics=('/nope',))


def test_a_type_that_is_not_installed_is_passed_over(
    bag: Path,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def import_images_only(name: str) -> Any:
        assert name == 'sensor_msgs.msg'
        return SimpleNamespace(Image=Image)

    monkeypatch.setattr(bag_node.importlib, 'import_module', import_images_only)
    listener.listen('/cam/image', Image)
    play(bag, wait_for_subscribers=1)
    assert len(listener.wait_for('/cam/image', 6)) == 6
    assert "/cam/camera_info: message type 'sensor_msgs/msg/CameraInfo' is not installed" in (
        capsys.readouterr().err
    )
    with pytest.raises(DataError, match='CameraInfo'):
        play(bag, topics=('/cam/camera_info',))


def test_a_log_that_cannot_be_written_is_an_error(bag: Path, listener: Listener) -> None:
    with pytest.raises(DataError, match='cannot be written'):
        play(bag, publish_log=Path('/nonexistent/log.jsonl'))


def test_a_loop_goes_on_until_it_is_interrupted(bag: Path, listener: Listener) -> None:
    listener.listen('/cam/image', Image)
    command = [sys.executable, '-m', 'stseg_ros.cli', 'bag', 'play', str(bag), '--loop']
    # Tests that a shell starts in the background ignore SIGINT, and what they start would too.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    player = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, inherited)
    try:
        images = listener.wait_for('/cam/image', 15)
        player.send_signal(signal.SIGINT)
        said, _ = player.communicate(timeout=PATIENCE_S)
        assert player.returncode == 0
    finally:
        player.kill()
    first, last = said.splitlines()
    assert first.endswith(' in 0.1 s, over and over until Ctrl-C')
    assert re.search(r': played \d+ messages in ', last)
    bag_images = recorded(bag, '/cam/image')
    first = bag_images.index(images[0])
    assert images[:15] == (bag_images * 4)[first : first + 15]
