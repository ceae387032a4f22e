"""Tests of the camera's labelled images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.errors import DataError
from stseg_ros.measure.labelled_sets import FIRST_SCENE_SEED
from stseg_ros.measure.node.labelled_stream import CAMVID, SCENES, load_stream, write_stream
from stseg_ros.records import ChannelOrder
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.image_codec import decode


def write_camvid(root: Path, count: int) -> None:
    """Write photos whose number is their grey, and labels whose left half is a car (id 8)."""
    for folder in ('val', 'valannot'):
        (root / folder).mkdir(parents=True)
    label_hw = np.zeros((60, 80), np.uint8)
    label_hw[:, :40] = 8
    for number in range(count):
        cv2.imwrite(str(root / 'val' / f'p{number}.png'), np.full((60, 80, 3), number, np.uint8))
        cv2.imwrite(str(root / 'valannot' / f'p{number}.png'), label_hw)


def test_scenes_are_the_camera_s_pictures_in_bgr() -> None:
    (image,) = load_stream(1, None)
    scene = render_scene(FIRST_SCENE_SEED, (720, 1280))
    assert image.source == SCENES
    assert image.frame.channel_order is ChannelOrder.BGR
    assert np.array_equal(image.frame.image_hwc[..., ::-1], scene.image_hwc)
    assert image.vehicle_hw.shape == (720, 1280)


def test_photos_take_turns_with_scenes_and_have_their_size(tmp_path: Path) -> None:
    write_camvid(tmp_path, 5)
    stream = load_stream(3, tmp_path)
    assert [image.source for image in stream] == [SCENES, CAMVID] * 3
    # Evenly spaced over the five.
    assert [int(image.frame.image_hwc[0, 0, 0]) for image in stream[1::2]] == [0, 2, 4]
    for image in stream:
        assert image.frame.image_hwc.shape == (720, 1280, 3)
        assert image.vehicle_hw.shape == (720, 1280)
    assert set(np.unique(stream[1].vehicle_hw[:, :640])) == {1}
    assert set(np.unique(stream[1].vehicle_hw[:, 640:])) == {0}


def test_a_missing_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='camvid'):
        load_stream(1, tmp_path / 'nothing')


def test_the_bag_holds_the_same_pictures(tmp_path: Path) -> None:
    stream = load_stream(2, None)
    write_stream(stream, tmp_path / 'bag')
    with BagReader(tmp_path / 'bag') as reader:
        frames = [decode(message.deserialize()) for message in reader.messages()]
    assert len(frames) == 2
    for frame, image in zip(frames, stream, strict=True):
        assert frame.channel_order is ChannelOrder.BGR
        assert np.array_equal(frame.image_hwc, image.frame.image_hwc)
