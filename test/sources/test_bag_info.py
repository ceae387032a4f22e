"""What `stseg bag info` prints."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.sources.bag_info import describe_bag
from stseg_ros.sources.bag_messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    make_compressed_image,
    make_header,
    make_image,
)
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.bag_writer import BagWriter


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_topics_counts_rates_and_images(tmp_path: Path, storage: str) -> None:
    jpeg = cv2.imencode('.jpg', np.zeros((24, 32, 3), np.uint8))[1].tobytes()
    header = make_header(stamp_ns=0, frame_id='cam')
    with BagWriter(tmp_path / 'bag', storage=storage) as writer:
        writer.add_topic('/raw', IMAGE)
        writer.add_topic('/small/compressed', COMPRESSED_IMAGE)
        writer.add_topic('/broken/compressed', COMPRESSED_IMAGE)
        writer.add_topic('/camera_info', CAMERA_INFO)
        for index in range(6):
            record_ns = 1_600_000_000 * 10**9 + index * 100_000_000
            image = make_image(np.zeros((4, 6), np.uint8), encoding='mono8', header=header)
            writer.write('/raw', image, record_ns=record_ns)
        small = make_compressed_image(jpeg, image_format='jpeg', header=header)
        writer.write('/small/compressed', small, record_ns=record_ns)
        broken = make_compressed_image(b'x', image_format='jpeg', header=header)
        writer.write('/broken/compressed', broken, record_ns=record_ns)
    with BagReader(tmp_path / 'bag') as reader:
        lines = describe_bag(reader).splitlines()
    assert lines[1].split() == ['storage', storage]
    assert lines[2].split() == ['start', '2020-09-13', '12:26:40.000000000', 'UTC']
    assert lines[3].split() == ['duration', '0.500', 's']
    assert lines[4].split() == ['messages', '8']
    rows = {line.split()[0]: line.split()[1:] for line in lines[7:]}
    assert rows['/raw'] == ['sensor_msgs/msg/Image', '6', '10.00', 'Hz', '6x4', 'mono8']
    assert rows['/small/compressed'] == [COMPRESSED_IMAGE, '1', '-', '32x24', 'jpeg']
    assert rows['/broken/compressed'][:4] == [COMPRESSED_IMAGE, '1', '-', 'unusable:']
    assert rows['/camera_info'] == [CAMERA_INFO, '0', '-']


def test_an_empty_bag_is_described_too(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as writer:
        writer.add_topic('/raw', IMAGE)
    with BagReader(tmp_path / 'bag') as reader:
        lines = describe_bag(reader).splitlines()
    assert lines[2].split() == ['start', '-']
    assert lines[4].split() == ['messages', '0']
