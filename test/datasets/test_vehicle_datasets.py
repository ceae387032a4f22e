from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.datasets.vehicle_datasets import find_samples, load_sample
from stseg_ros.errors import DataError

# Where each set keeps one pair, and a label value of every kind: background, vehicle, ignore.
PLACES = {
    'camvid': ('train', 'train/a.jpg', 'trainannot/a.png', (3, 8, 11)),
    'kitti': ('train', 'training/image_2/a.png', 'training/semantic/a.png', (7, 26, 4)),
    'bdd100k': ('val', 'images/10k/val/a.jpg', 'labels/sem_seg/masks/val/a.png', (0, 13, 255)),
}


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def grey(height: int, width: int, value: int = 0) -> np.ndarray:
    return np.full((height, width), value, np.uint8)


@pytest.mark.parametrize('dataset', PLACES)
def test_reads_a_pair_in_the_layout_of_each_set(dataset: str, tmp_path: Path) -> None:
    split, image_place, label_place, values = PLACES[dataset]
    write(tmp_path / image_place, np.dstack([grey(4, 6, 10), grey(4, 6, 10), grey(4, 6, 240)]))
    label_hw = np.repeat(np.array([values], np.uint8), 2, axis=1).repeat(4, axis=0)
    write(tmp_path / label_place, label_hw)

    (sample,) = find_samples(dataset, tmp_path, split)
    image_hwc, vehicle_hw = load_sample(sample)

    assert sample.name == 'a'
    # The file was blue 10, green 10, red 240: RGB order puts red first. JPEG is off by a little.
    assert np.allclose(image_hwc[2, 3], [240, 10, 10], atol=4)
    assert vehicle_hw.tolist() == [[0, 0, 1, 1, 255, 255]] * 4


@pytest.mark.parametrize(
    ('dataset', 'vehicles', 'others'),
    [
        ('camvid', {8}, {0, 3, 9, 10}),
        ('kitti', {26, 27, 28, 29, 30, 31}, {7, 24, 25, 32, 33}),
        ('bdd100k', {13, 14, 15, 16}, {0, 11, 12, 17, 18}),
    ],
)
def test_vehicle_ids(dataset: str, vehicles: set[int], others: set[int], tmp_path: Path) -> None:
    split, image_place, label_place, _ = PLACES[dataset]
    ids = sorted(vehicles | others)
    write(tmp_path / image_place, np.zeros((1, len(ids), 3), np.uint8))
    write(tmp_path / label_place, np.array([ids], np.uint8))
    _, vehicle_hw = load_sample(find_samples(dataset, tmp_path, split)[0])
    assert {
        value for value, found in zip(ids, vehicle_hw[0], strict=True) if found == 1
    } == vehicles
    assert {value for value, found in zip(ids, vehicle_hw[0], strict=True) if found == 0} == others


def test_plain_folders_take_any_mask_value(tmp_path: Path) -> None:
    write(tmp_path / 'images/x.png', np.zeros((1, 3, 3), np.uint8))
    write(tmp_path / 'masks/x.png', np.array([[0, 1, 255]], np.uint8))
    _, vehicle_hw = load_sample(find_samples('folders', tmp_path, 'all')[0])
    assert vehicle_hw.tolist() == [[0, 1, 1]]


def test_pairs_by_stem_and_sorts(tmp_path: Path) -> None:
    for stem, suffix in (('b', 'jpg'), ('a', 'png')):
        write(tmp_path / f'images/{stem}.{suffix}', np.zeros((2, 2, 3), np.uint8))
        write(tmp_path / f'masks/{stem}.png', grey(2, 2))
    write(tmp_path / 'masks/without_image.png', grey(2, 2))
    assert [sample.name for sample in find_samples('folders', tmp_path, 'all')] == ['a', 'b']


def test_leaves_out_the_known_wrong_label(tmp_path: Path) -> None:
    for name in ('00d79c0a-23bea078', '00d79c0a-23befe54'):
        write(tmp_path / f'images/10k/train/{name}.jpg', np.zeros((2, 2, 3), np.uint8))
        write(tmp_path / f'labels/sem_seg/masks/train/{name}.png', grey(2, 2))
    (sample,) = find_samples('bdd100k', tmp_path, 'train')
    assert sample.name == '00d79c0a-23befe54'


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'unknown data set .*camvid, kitti'):
        find_samples('cityscapes', tmp_path, 'train')
    with pytest.raises(DataError, match="kitti has no split 'val'; give one of train"):
        find_samples('kitti', tmp_path, 'val')
    with pytest.raises(DataError, match=r'image_2 is not there'):
        find_samples('kitti', tmp_path, 'train')
    (tmp_path / 'images').mkdir()
    with pytest.raises(DataError, match=r'holds no images'):
        find_samples('folders', tmp_path, 'all')
    for stem in ('a', 'b', 'c'):
        write(tmp_path / f'images/{stem}.png', np.zeros((2, 2, 3), np.uint8))
    write(tmp_path / 'masks/a.png', grey(2, 2))
    with pytest.raises(DataError, match=r"2 of 3 images .*\(1 found\), first 'b'"):
        find_samples('folders', tmp_path, 'all')


def test_refuses_files_that_do_not_fit(tmp_path: Path) -> None:
    image, mask = tmp_path / 'images/a.png', tmp_path / 'masks/a.png'
    write(image, np.zeros((4, 6, 3), np.uint8))
    write(mask, grey(6, 4))
    (sample,) = find_samples('folders', tmp_path, 'all')
    with pytest.raises(DataError, match=r'is \(4, 6\) but its label is \(6, 4\)'):
        load_sample(sample)
    write(mask, np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(DataError, match='3 channels'):
        load_sample(sample)
    write(mask, np.zeros((4, 6), np.uint16))
    with pytest.raises(DataError, match='uint16'):
        load_sample(sample)
    mask.write_bytes(mask.read_bytes()[:20])
    with pytest.raises(DataError, match='cannot be read'):
        load_sample(sample)


@pytest.mark.data
@pytest.mark.parametrize(
    ('dataset', 'split', 'count', 'vehicle_share'),
    # Counts and mean shares of vehicle pixels as the data's own description states them.
    [
        ('camvid', 'train', 367, 0.059),
        ('camvid', 'val', 101, 0.017),
        ('kitti', 'train', 34, 0.068),
        ('bdd100k', 'val', 6, 0.107),
    ],
)
def test_real_sets(
    dataset: str, split: str, count: int, vehicle_share: float, data_root: Path
) -> None:
    samples = find_samples(dataset, data_root / dataset, split)
    assert len(samples) == count
    shares = [(load_sample(sample)[1] == 1).mean() for sample in samples]
    assert np.mean(shares) == pytest.approx(vehicle_share, abs=0.0006)
