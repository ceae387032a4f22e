"""The whole product on a real drive: live over ROS 2 and offline, the same masks bit for bit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from stseg_ros.cli import main
from stseg_ros.demo.processes import run_beside
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.image_codec import header_stamp_ns

FRAMES = 54
NODE = 'stseg_ros.ros_node.segmenter_node'

pytestmark = [pytest.mark.data, pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope='module')
def bag(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('drive') / 'kitti'
    images = str(data_root / 'kitti_raw' / '2011_09_26')
    assert main(['bag', 'from-images', images, '--rate', '10', '--output', str(path)]) == 0
    return path


def replay(bag: Path, output: Path) -> dict[int, tuple[str, bytes]]:
    """Replay offline and return frame_id and serialised mask by stamp."""
    assert main(['replay', str(bag), '--output', str(output)]) == 0
    masks = {}
    with BagReader(output) as reader:
        for recorded in reader.messages(['/camera/mask']):
            header = recorded.deserialize().header
            masks[header_stamp_ns(header)] = (header.frame_id, recorded.cdr)
    return masks


@pytest.fixture(scope='module')
def offline(bag: Path) -> dict[int, tuple[str, bytes]]:
    return replay(bag, bag.parent / 'first')


def test_two_replays_are_identical(bag: Path, offline: dict[int, tuple[str, bytes]]) -> None:
    assert len(offline) == FRAMES
    assert replay(bag, bag.parent / 'second') == offline


def test_the_node_gives_the_same_masks(
    bag: Path,
    offline: dict[int, tuple[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')
    from stseg_ros.ros_node.recorder import Recorder
    from stseg_ros.ros_node.transport import large_image_environment

    monkeypatch.setenv('ROS_DOMAIN_ID', str(10 + os.getpid() % 30))
    for name, value in large_image_environment({}).items():
        monkeypatch.setenv(name, value)
    remap = ['--ros-args', '-r', 'image:=/camera/image']
    play = ['bag', 'play', str(bag), '--wait-for-subscribers', '1']
    with (
        Recorder() as recorder,
        run_beside('node', NODE, remap, tmp_path / 'node.log') as node,
    ):
        assert recorder.wait_for_segmenter(60.0), node
        with run_beside('player', 'stseg_ros.cli', play, tmp_path / 'player.log') as player:
            recording = recorder.spin_until(FRAMES, idle_timeout_s=15.0, deadline_s=90.0)
            player.wait(30.0)
    stamps_ns = sorted(offline)
    assert [mask.stamp_ns for mask in recording.masks] == stamps_ns
    assert [timing.stamp_ns for timing in recording.timings] == stamps_ns
    assert stamps_ns == [1_600_000_000_000_000_000 + 100_000_000 * i for i in range(FRAMES)]
    assert {mask.frame_id for mask in recording.masks} == {'camera'}
    for mask in recording.masks:
        frame_id, cdr = offline[mask.stamp_ns]
        assert frame_id == mask.frame_id
        # A mono8 image without padding is the last part of its message.
        pixels = np.frombuffer(cdr, np.uint8)[-mask.mask_hw.size :]
        np.testing.assert_array_equal(mask.mask_hw.ravel(), pixels)
        assert mask.mask_hw.shape == (375, 1242)
