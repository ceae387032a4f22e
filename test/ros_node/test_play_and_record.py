"""The node between a player and the recorder, each in a process of its own: nothing gets lost."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from support.ros_segmenter import SegmenterProcess, free_domain_id

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.demo.processes import run_beside
from stseg_ros.records import ChannelOrder, Frame
from stseg_ros.ros_node.recorder import End, Recorder
from stseg_ros.sources.bag_messages import IMAGE, make_header, make_image
from stseg_ros.sources.bag_writer import BagWriter

pytestmark = pytest.mark.ros

COUNT = 12
START_NS = 1_500_000_000_000_000_007
# No frame may be dropped, also on a machine with other work: a node that is late takes the newest.
PERIOD_NS = 250_000_000


def pictures() -> list[np.ndarray]:
    """Draw soft red blobs on noise, (120, 200, 3) BGR."""
    random = np.random.default_rng(11)
    rows, columns = np.mgrid[:120, :200]
    images = []
    for index in range(COUNT):
        image = random.integers(0, 60, (120, 200, 3), np.uint8)
        distance = np.hypot(rows - 60, columns - 14 * index)
        image[..., 2] += np.clip(180 - 4 * distance, 0, 180).astype(np.uint8)
        images.append(image)
    return images


def test_every_frame_comes_back_as_offline(
    tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pictures()
    stamps_ns = [START_NS + index * PERIOD_NS for index in range(COUNT)]
    with BagWriter(tmp_path / 'bag') as writer:
        writer.add_topic('/image', IMAGE)
        for image, stamp_ns in zip(images, stamps_ns, strict=True):
            header = make_header(stamp_ns=stamp_ns, frame_id='left')
            message = make_image(image, encoding='bgr8', header=header)
            writer.write('/image', message, record_ns=stamp_ns)
    domain_id = free_domain_id(9)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain_id))
    arguments = ['bag', 'play', str(tmp_path / 'bag'), '--wait-for-subscribers', '1']
    node = SegmenterProcess(tmp_path / 'node.log', domain_id, bundle=tiny_bundle)
    try:
        with Recorder() as recorder:
            assert recorder.wait_for_segmenter(20)
            with run_beside('player', 'stseg_ros.cli', arguments, tmp_path / 'log') as player:
                recording = recorder.spin_until(COUNT, idle_timeout_s=10, deadline_s=30)
                player.wait(20)
    finally:
        node.end()
    assert recording.end is End.COUNT
    assert [mask.stamp_ns for mask in recording.masks] == stamps_ns
    assert [timing.stamp_ns for timing in recording.timings] == stamps_ns
    assert {(mask.frame_id, mask.encoding) for mask in recording.masks} == {('left', 'mono8')}
    assert {timing.frame_id for timing in recording.timings} == {'left'}

    segmenter = open_segmenter(ModelBundle.read(tiny_bundle), PipelineConfig())
    for image, mask in zip(images, recording.masks, strict=True):
        offline = segmenter.segment(Frame(image_hwc=image, channel_order=ChannelOrder.BGR))
        np.testing.assert_array_equal(mask.mask_hw, offline.mask_hw)
        assert mask.mask_hw.any()


def test_recording_ends_by_deadline_and_by_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_DOMAIN_ID', str(free_domain_id(10)))
    stop = threading.Event()
    with Recorder() as recorder:
        assert not recorder.wait_for_segmenter(0.1)
        recording = recorder.spin_until(1, idle_timeout_s=0.0, deadline_s=0.1)
        assert (recording.end, recording.masks) == (End.DEADLINE, ())
        stop.set()
        assert recorder.spin_until(1, idle_timeout_s=9, deadline_s=9, stop=stop).end is End.STOPPED
