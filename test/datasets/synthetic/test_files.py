"""Tests of synthetic data sets on disk, read back by the readers of the real ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.datasets.synthetic.files import write_dataset, write_drive
from stseg_ros.datasets.synthetic.scenes import render_drive
from stseg_ros.datasets.vehicle_datasets import find_samples, load_sample
from stseg_ros.errors import DataError
from stseg_ros.sources.image_folders import open_image_folder
from stseg_ros.sources.kitti_files import read_kitti_stamps

SIZE_HW = (90, 160)


def write(folder: Path, layout: str, count: int = 5, seed: int = 0) -> list[int]:
    calls: list[int] = []
    write_dataset(
        folder,
        layout,
        count=count,
        seed=seed,
        size_hw=SIZE_HW,
        on_image=lambda: calls.append(1),
    )
    return calls


@pytest.fixture(scope='module')
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('scenes') / 'plain'
    assert len(write(folder, 'plain')) == 5
    return folder


def plain_mask(plain: Path, index: int) -> np.ndarray:
    return cv2.imread(str(plain / f'masks/{index:06d}.png'), cv2.IMREAD_UNCHANGED)


def test_plain_folders(plain: Path) -> None:
    samples = find_samples('folders', plain, 'all')
    assert [sample.name for sample in samples] == [f'{i:06d}' for i in range(5)]
    image_hwc, vehicle_hw = load_sample(samples[2])
    assert image_hwc.shape == (*SIZE_HW, 3)
    assert set(np.unique(plain_mask(plain, 2))) == {0, 255}
    assert np.array_equal(vehicle_hw, plain_mask(plain, 2) // 255)


def test_kitti_layout_holds_the_same_scenes(plain: Path, tmp_path: Path) -> None:
    write(tmp_path / 'kitti', 'kitti')
    samples = find_samples('kitti', tmp_path / 'kitti', 'train')
    assert [sample.name for sample in samples] == [f'{i:06d}_10' for i in range(5)]
    for index, sample in enumerate(samples):
        image_hwc, vehicle_hw = load_sample(sample)
        bgr = cv2.imread(str(plain / f'images/{index:06d}.png'))
        assert np.array_equal(image_hwc, bgr[..., ::-1])
        assert np.array_equal(vehicle_hw == 1, plain_mask(plain, index) > 0)
        label = cv2.imread(str(sample.label_path), cv2.IMREAD_UNCHANGED)
        # The original Cityscapes ids that KITTI uses; 1 is the own car.
        known = {1, 7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 26, 27, 28}
        assert set(np.unique(label).tolist()) <= known
        assert {7, 23} <= set(np.unique(label).tolist())


def test_bdd100k_layout_holds_the_same_scenes(plain: Path, tmp_path: Path) -> None:
    write(tmp_path / 'bdd', 'bdd100k')
    train = find_samples('bdd100k', tmp_path / 'bdd', 'train')
    val = find_samples('bdd100k', tmp_path / 'bdd', 'val')
    assert [sample.name for sample in val] == ['synthetic-000004']
    assert len(train) == 4
    for index, sample in enumerate([*train, *val]):
        assert sample.image_path.suffix == '.jpg'
        image_hwc, vehicle_hw = load_sample(sample)
        bgr = cv2.imread(str(plain / f'images/{index:06d}.png'))
        assert np.abs(image_hwc.astype(int) - bgr[..., ::-1]).mean() < 4, 'only JPEG loss'
        assert np.array_equal(vehicle_hw == 1, plain_mask(plain, index) > 0)


def test_seeds_share_no_scene(plain: Path, tmp_path: Path) -> None:
    write(tmp_path / 'other', 'plain', count=2, seed=1)
    first = cv2.imread(str(plain / 'images/000000.png'))
    second = cv2.imread(str(plain / 'images/000001.png'))
    other = cv2.imread(str(tmp_path / 'other/images/000000.png'))
    assert not np.array_equal(other, first)
    assert not np.array_equal(other, second)


def test_preview_shows_the_scenes(plain: Path) -> None:
    preview = cv2.imread(str(plain / 'preview.jpg'))
    # Five pictures of 480 x 270 in rows of three, six pixels apart.
    assert preview.shape == (2 * 276 + 6, 3 * 486 + 6, 3)


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('scenes') / 'drive'
    write_drive(folder, frames=4, rate_hz=30.0, seed=3, size_hw=SIZE_HW, on_image=lambda: None)
    return folder


def test_a_drive_is_read_as_kitti_raw(drive: Path) -> None:
    source = open_image_folder(drive)
    assert source.layout == 'KITTI raw'
    assert [path.name for path in source.images] == [f'{i:010d}.png' for i in range(4)]
    assert source.stamps_file is not None
    stamps_ns = read_kitti_stamps(source.stamps_file, source.images)
    offsets = [stamp - stamps_ns[0] for stamp in stamps_ns]
    assert offsets == [0, 33_333_333, 66_666_667, 100_000_000]


def test_a_drive_comes_with_its_masks(drive: Path) -> None:
    for index, scene in enumerate(render_drive(3, 4, 30.0, SIZE_HW)):
        bgr = cv2.imread(str(drive / f'image_02/data/{index:010d}.png'))
        mask = cv2.imread(str(drive / f'image_02/mask/{index:010d}.png'), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(bgr[..., ::-1], scene.image_hwc)
        assert np.array_equal(mask, scene.mask_hw)


def test_a_drive_comes_with_its_calibration(drive: Path) -> None:
    calibration = open_image_folder(drive).calibration
    assert calibration is not None
    assert calibration.size_hw == SIZE_HW
    camera = next(iter(render_drive(3, 4, 30.0, SIZE_HW))).camera
    # The point 2 m right, 1 m down, 20 m ahead, through the file's 3 x 4 matrix and by hand.
    matrix = np.array(calibration.projection_3x4).reshape(3, 4)
    u, v, w = matrix @ [2.0, 1.0, 20.0, 1.0]
    by_hand = (
        camera.centre_xy[0] + camera.focal_px * 2 / 20,
        camera.centre_xy[1] + camera.focal_px * 1 / 20,
    )
    # KITTI's pixel 0 has its centre at 0, the renderer's at 0.5.
    assert (u / w + 0.5, v / w + 0.5) == pytest.approx(by_hand, abs=1e-4)


def test_a_folder_in_use_is_refused(plain: Path) -> None:
    before = sorted(path.name for path in plain.rglob('*'))
    with pytest.raises(DataError, match='not an empty folder'):
        write(plain, 'kitti')
    assert sorted(path.name for path in plain.rglob('*')) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'taken').write_text('here')
    with pytest.raises(DataError, match='not an empty folder'):
        write(tmp_path / 'taken', 'plain')


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / 'empty').mkdir()
    write(tmp_path / 'empty', 'plain', count=1)
    assert (tmp_path / 'empty/images/000000.png').is_file()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / 'taken').write_text('here')
    with pytest.raises(DataError, match='cannot be written'):
        write(tmp_path / 'taken' / 'below', 'plain')
