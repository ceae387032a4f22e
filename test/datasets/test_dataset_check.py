"""Tests of the facts about a data set."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.datasets.dataset_check import check_split, guess_datasets
from stseg_ros.datasets.vehicle_datasets import DATASETS, FolderFiles, find_split
from stseg_ros.errors import DataError


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_pair(root: Path, name: str, mask_hw: np.ndarray) -> None:
    write(root / f'images/{name}.png', np.zeros((*mask_hw.shape, 3), np.uint8))
    write(root / f'masks/{name}.png', mask_hw)


def test_facts_are_counted_by_hand(tmp_path: Path) -> None:
    # 4 of 20, 10 of 20 and none of 40 pixels are vehicle; 5 of 20 pixels of the first are ignored.
    write_pair(tmp_path, 'd1/a', np.array([[7] * 4 + [9] * 5 + [0], [0] * 10], np.uint8))
    write_pair(tmp_path, 'd1/b', np.array([[7] * 10, [0] * 10], np.uint8))
    write_pair(tmp_path, 'd2/c', np.zeros((4, 10), np.uint8))
    write(tmp_path / 'masks/d2/alone.png', np.zeros((4, 10), np.uint8))
    files = FolderFiles(images='images/*/*', masks='masks/*/*', ignore_ids=(9,))
    seen: list[int] = []

    check = check_split(
        'all', find_split('folders', tmp_path, files=files), lambda: seen.append(1)
    )

    assert len(seen) == 3
    assert check.summary() == {
        'split': 'all',
        'images': 3,
        'scenes': 2,
        'sizes': {'10x2': 2, '10x4': 1},
        'vehicle_share': {
            'min': 0.0,
            'median': pytest.approx(0.2),
            'mean': pytest.approx(0.7 / 3),
            'max': 0.5,
        },
        'ignored_share': pytest.approx(0.25 / 3),
        'without_vehicle': ['d2_c'],
        'labels_without_image': 1,
        'known_wrong_labels': [],
        'unreadable': [],
    }
    assert [(tile.caption, tile.note) for tile in check.tiles] == [
        ('d1_a', '20.0%'),
        ('d1_b', '50.0%'),
        ('d2_c', '0.0%'),
    ]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    for name in 'abc':
        write_pair(tmp_path, name, np.ones((4, 4), np.uint8))
    (tmp_path / 'images/b.png').write_bytes(b'')
    check = check_split('all', find_split('folders', tmp_path), lambda: None)
    assert [fact.name for fact in check.facts] == ['a', 'c']
    (problem,) = check.summary()['unreadable']
    assert problem.startswith(f'{tmp_path}/images/b.png cannot be read')


def test_nothing_readable_has_no_shares(tmp_path: Path) -> None:
    write_pair(tmp_path, 'a', np.ones((4, 4), np.uint8))
    (tmp_path / 'masks/a.png').write_bytes(b'')
    summary = check_split('all', find_split('folders', tmp_path), lambda: None).summary()
    assert summary['vehicle_share'] == {'min': None, 'median': None, 'mean': None, 'max': None}
    assert summary['ignored_share'] is None


def test_at_most_24_pictures_from_first_to_last(tmp_path: Path) -> None:
    for index in range(60):
        write_pair(tmp_path, f'{index:02}', np.ones((2, 2), np.uint8))
    check = check_split('all', find_split('folders', tmp_path), lambda: None)
    captions = [tile.caption for tile in check.tiles]
    assert len(captions) == 24
    assert (captions[0], captions[-1]) == ('00', '59')


@pytest.mark.parametrize('dataset', DATASETS)
def test_recognises_each_set_alone_and_among_others(dataset: str, tmp_path: Path) -> None:
    for pattern in DATASETS[dataset].splits[DATASETS[dataset].first_split]:
        (tmp_path / 'some_name' / pattern).mkdir(parents=True)
    (tmp_path / 'something_else').mkdir()
    expected = [(dataset, tmp_path / 'some_name')]
    assert guess_datasets(tmp_path / 'some_name') == expected
    assert guess_datasets(tmp_path) == expected


def test_a_folder_of_all_sets_is_no_set_itself(tmp_path: Path) -> None:
    for dataset, layout in DATASETS.items():
        for pattern in layout.splits[layout.first_split]:
            (tmp_path / dataset / pattern).mkdir(parents=True)
    assert guess_datasets(tmp_path) == [(name, tmp_path / name) for name in sorted(DATASETS)]


def test_says_what_it_knows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'kitti: training/image_2 and training/semantic'):
        guess_datasets(tmp_path)
    with pytest.raises(DataError, match=r'nowhere is no folder'):
        guess_datasets(tmp_path / 'nowhere')
