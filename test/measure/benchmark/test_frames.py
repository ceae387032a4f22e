"""The pictures that are timed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.errors import DataError
from stseg_ros.measure.benchmark import frames as frames_module
from stseg_ros.measure.benchmark.frames import load_frames
from stseg_ros.records import ChannelOrder

SIZES_HW = [(60, 80), (90, 160)]


def write_images(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        image = np.full((50, 70, 3), (20, 10 * number, 200), np.uint8)
        cv2.imwrite(str(folder / f'frame{number}.png'), image)
    return folder


def test_images_are_spread_over_the_folder_and_brought_to_every_size(tmp_path: Path) -> None:
    frames = load_frames(write_images(tmp_path / 'drive', 12), 3, SIZES_HW)
    assert frames.source == '3 of 12 images of drive'
    assert list(frames.by_size) == SIZES_HW
    for size_hw, pictures in frames.by_size.items():
        assert [picture.image_hwc.shape for picture in pictures] == [(*size_hw, 3)] * 3
        assert {picture.channel_order for picture in pictures} == {ChannelOrder.BGR}
        # Blue, green and red as OpenCV writes them; green tells the image.
        first_pixels = [picture.image_hwc[0, 0].tolist() for picture in pictures]
        assert first_pixels == [[20, 10 * number, 200] for number in (0, 4, 8)]


def test_fewer_images_than_wanted_are_all_taken(tmp_path: Path) -> None:
    frames = load_frames(write_images(tmp_path / 'drive', 2), 5, SIZES_HW[:1])
    assert len(frames.by_size[SIZES_HW[0]]) == 2


def test_without_images_scenes_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    # Scenes of the usual size take long to draw.
    monkeypatch.setattr(frames_module, 'render_scene', lambda seed: render_scene(seed, (48, 64)))
    frames = load_frames(None, 2, SIZES_HW)
    assert frames.source == '2 synthetic scenes'
    first, second = (picture.image_hwc for picture in frames.by_size[90, 160])
    assert first.shape == (90, 160, 3)
    assert first.flags.c_contiguous
    assert (first != second).any()


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path / 'drive', 1)
    path = folder / 'frame0.png'
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r'frame0\.png: '):
        load_frames(folder, 1, SIZES_HW)
