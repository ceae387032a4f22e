"""Tests of reading images and labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.datasets.labels import LabelIds, read_image, read_vehicle_mask
from stseg_ros.errors import DataError

IDS = LabelIds(vehicle=(2, 3), ignore=(9,), background=(0, 1))


def write(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


def test_values_become_background_vehicle_and_ignore(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.png', np.array([[0, 1, 2, 3, 9]], np.uint8))
    assert read_vehicle_mask(path, IDS).tolist() == [[0, 0, 1, 1, 255]]


def test_a_grey_label_stored_in_colour_is_read(tmp_path: Path) -> None:
    label_hw = np.array([[0, 2]], np.uint8)
    for name, channels in (('rgb.png', 3), ('rgba.png', 4)):
        path = write(tmp_path / name, np.dstack([label_hw] * channels))
        assert read_vehicle_mask(path, IDS).tolist() == [[0, 1]]


def test_unknown_values_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.png', np.array([[0, 70, 71, 72, 73, 74]], np.uint8))
    with pytest.raises(DataError, match=r'a\.png has values .*: 70, 71, 72 and 2 more'):
        read_vehicle_mask(path, IDS)
    anything = LabelIds(vehicle=(70,))
    assert read_vehicle_mask(path, anything).tolist() == [[0, 1, 0, 0, 0, 0]]


def test_colour_maps_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.png', np.array([[[0, 0, 142]]], np.uint8))
    with pytest.raises(DataError, match=r'a\.png is a colour picture \(3 channels\)'):
        read_vehicle_mask(path, IDS)


def test_instance_maps_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.png', np.zeros((2, 2), np.uint16))
    with pytest.raises(DataError, match='uint16 values'):
        read_vehicle_mask(path, IDS)


@pytest.mark.parametrize('suffix', ['png', 'jpg', 'bmp'])
@pytest.mark.parametrize('kept', [0.0, 0.05, 0.6, 0.95])
def test_a_file_cut_short_is_refused(suffix: str, kept: float, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = write(tmp_path / f'a.{suffix}', image)
    assert read_image(path).shape == (64, 64, 3)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=rf'a\.{suffix} cannot be read'):
        read_image(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'none\.png cannot be read: No such file'):
        read_image(tmp_path / 'none.png')
