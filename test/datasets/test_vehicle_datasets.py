from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stseg_ros.datasets.vehicle_datasets import (
    DATASETS,
    FolderFiles,
    find_samples,
    find_split,
    load_sample,
)
from stseg_ros.errors import ConfigError, DataError

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


def test_leaves_out_the_known_wrong_label(tmp_path: Path) -> None:
    for name in ('00d79c0a-23bea078', '00d79c0a-23befe54'):
        write(tmp_path / f'images/10k/train/{name}.jpg', np.zeros((2, 2, 3), np.uint8))
        write(tmp_path / f'labels/sem_seg/masks/train/{name}.png', grey(2, 2))
    (sample,) = find_samples('bdd100k', tmp_path, 'train')
    assert sample.name == '00d79c0a-23befe54'


def test_a_known_wrong_label_is_counted_apart(tmp_path: Path) -> None:
    name = '00d79c0a-23bea078'
    for other in (name, 'x-1'):
        write(tmp_path / f'images/10k/train/{other}.jpg', np.zeros((2, 2, 3), np.uint8))
        write(tmp_path / f'labels/sem_seg/masks/train/{other}.png', grey(2, 2))
    assert find_split('bdd100k', tmp_path, 'train').wrong_labels == (name,)


@pytest.mark.parametrize(
    ('dataset', 'split', 'names', 'scenes'),
    [
        (
            'camvid',
            'train',
            ['0001TP_006690', '0001TP_006720', '0006R0_f00930'],
            ['0001TP', '0001TP', '0006R0'],
        ),
        # A run of ten frame numbers is a scene.
        (
            'kitti',
            'train',
            ['000019_10', '000020_10', '000029_10', '000120_10'],
            ['00001', '00002', '00002', '00012'],
        ),
        (
            'bdd100k',
            'train',
            ['00d79c0a-23befe54', '00e9be89-00000015', '00e9be89-00000100'],
            ['00d79c0a', '00e9be89', '00e9be89'],
        ),
        ('folders', None, ['a_1', 'a_2'], ['a_1', 'a_2']),
    ],
)
def test_scenes_of_each_set(
    dataset: str, split: str | None, names: list[str], scenes: list[str], tmp_path: Path
) -> None:
    layout = DATASETS[dataset]
    images, labels = layout.splits[split or layout.first_split]
    for name in names:
        write(tmp_path / images / f'{name}.png', np.zeros((2, 2, 3), np.uint8))
        write(tmp_path / labels / f'{name}.png', grey(2, 2))
    samples = find_samples(dataset, tmp_path, split)
    assert [sample.name for sample in samples] == names
    assert [sample.scene for sample in samples] == scenes


@pytest.mark.parametrize(
    ('dataset', 'wrapper'), [('kitti', 'data_semantics'), ('bdd100k', 'bdd100k')]
)
def test_finds_a_set_inside_the_folder_of_its_archive(
    dataset: str, wrapper: str, tmp_path: Path
) -> None:
    images, labels = DATASETS[dataset].splits['train']
    write(tmp_path / wrapper / images / 'a.png', np.zeros((2, 2, 3), np.uint8))
    write(tmp_path / wrapper / labels / 'a.png', grey(2, 2))
    (sample,) = find_samples(dataset, tmp_path, 'train')
    assert sample.image_path == tmp_path / wrapper / images / 'a.png'


def test_folders_with_places_and_values_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / 'drive_1/rgb/1.jpg', np.zeros((1, 4, 3), np.uint8))
    write(tmp_path / 'drive_1/gt/1_mask.png', np.array([[0, 3, 7, 9]], np.uint8))
    write(tmp_path / 'drive_2/rgb/1.jpg', np.zeros((1, 4, 3), np.uint8))
    write(tmp_path / 'drive_2/gt/1_mask.png', np.array([[7, 7, 7, 7]], np.uint8))
    files = FolderFiles(
        images='*/rgb/*', masks='*/gt/*_mask.png', vehicle_ids=(7,), ignore_ids=(9,)
    )
    samples = find_samples('folders', tmp_path, files=files)
    assert [(sample.name, sample.scene) for sample in samples] == [
        ('drive_1_1', 'drive_1'),
        ('drive_2_1', 'drive_2'),
    ]
    assert load_sample(samples[0])[1].tolist() == [[0, 0, 1, 255]]


def test_vehicle_is_all_but_background_and_ignored_unless_named(tmp_path: Path) -> None:
    write(tmp_path / 'images/a.png', np.zeros((1, 4, 3), np.uint8))
    write(tmp_path / 'masks/a.png', np.array([[0, 1, 9, 255]], np.uint8))
    (sample,) = find_samples('folders', tmp_path, files=FolderFiles(ignore_ids=(9,)))
    assert load_sample(sample)[1].tolist() == [[0, 1, 255, 1]]


def test_scenes_by_a_pattern(tmp_path: Path) -> None:
    for name in ('monday-1', 'monday-2', 'odd'):
        write(tmp_path / f'images/{name}.png', np.zeros((1, 1, 3), np.uint8))
        write(tmp_path / f'masks/{name}.png', grey(1, 1))
    samples = find_samples('folders', tmp_path, files=FolderFiles(scene_pattern='^[a-z]+(?=-)'))
    assert [sample.scene for sample in samples] == ['monday', 'monday', 'odd']


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'images': '/data/images'}, "images is '/data/images'; give a folder or pattern inside"),
        ({'masks': '../masks'}, 'masks is'),
        ({'masks': ''}, 'masks is'),
        ({'vehicle_ids': (256,)}, r'vehicle_ids \[256\]'),
        ({'vehicle_ids': (1, 2), 'ignore_ids': (2,)}, 'none of them in both'),
        ({'scene_pattern': '('}, 'no regular expression'),
    ],
)
def test_wrong_places_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FolderFiles(**values)


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'unknown data set .*camvid, kitti'):
        find_samples('cityscapes', tmp_path, 'train')
    with pytest.raises(DataError, match="kitti has no split 'val'; give one of train"):
        find_samples('kitti', tmp_path, 'val')
    with pytest.raises(DataError, match=r'kitti: .*/nowhere is no folder; unpack data_semantics'):
        find_samples('kitti', tmp_path / 'nowhere')
    with pytest.raises(DataError, match=r'no images; looked for training/image_2/\*'):
        find_samples('kitti', tmp_path, 'train')
    with pytest.raises(ConfigError, match="camvid has places of its own; give files to 'folders'"):
        find_samples('camvid', tmp_path, files=FolderFiles())


def test_image_and_label_of_different_sizes(tmp_path: Path) -> None:
    write(tmp_path / 'images/a.png', np.zeros((4, 6, 3), np.uint8))
    write(tmp_path / 'masks/a.png', grey(6, 4))
    with pytest.raises(DataError, match=r'images/a.png is 6x4 but its label .*masks/a.png is 4x6'):
        load_sample(find_samples('folders', tmp_path)[0])


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
