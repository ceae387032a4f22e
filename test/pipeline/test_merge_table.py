"""Tests of the learned merge: a table is looked up, and a broken one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stseg_ros.errors import BundleError
from stseg_ros.pipeline.merge_table import MergeTable


def any_table(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (256, 256), np.uint8)


@pytest.mark.parametrize('size_hw', [(1, 1), (7, 5), (128, 128), (128, 256)], ids=str)
def test_every_pixel_is_looked_up(size_hw: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    coarse_hw, refined_hw = rng.integers(0, 256, (2, *size_hw), np.uint8)
    table = any_table()
    merged_hw = coarse_hw.copy()
    MergeTable(table).merge(merged_hw, refined_hw)
    expected = [
        [table[coarse, refined] for coarse, refined in zip(*rows, strict=True)]
        for rows in zip(coarse_hw, refined_hw, strict=True)
    ]
    np.testing.assert_array_equal(merged_hw, expected)


def test_all_pairs_are_told_apart() -> None:
    coarse_hw, refined_hw = np.mgrid[:256, :256].astype(np.uint8)
    table = any_table(2)
    MergeTable(table).merge(coarse_hw, refined_hw)
    np.testing.assert_array_equal(coarse_hw, table)


def test_only_the_part_given_changes_and_sizes_may_change() -> None:
    merge_table = MergeTable(any_table())
    frame_hw = np.full((40, 60), 100, np.uint8)
    for top, bottom, left, right in ((0, 16, 8, 40), (20, 28, 50, 60), (30, 38, 0, 10)):
        refined_hw = np.full((bottom - top, right - left), 200, np.uint8)
        merge_table.merge(frame_hw[top:bottom, left:right], refined_hw)
    changed_hw = np.zeros((40, 60), bool)
    changed_hw[:16, 8:40] = changed_hw[20:28, 50:60] = changed_hw[30:38, :10] = True
    np.testing.assert_array_equal(frame_hw, np.where(changed_hw, any_table()[100, 200], 100))


def test_a_table_comes_back_from_its_file(tmp_path: Path) -> None:
    MergeTable(any_table(3)).write(tmp_path / 'merge.npy')
    again = MergeTable.read(tmp_path / 'merge.npy')
    np.testing.assert_array_equal(again.bytes_cr, any_table(3))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (np.zeros((256, 255), np.uint8), 'holds uint8 of shape (256, 255), expected uint8 of'),
        (np.zeros((256, 256)), 'holds float64 of shape (256, 256), expected uint8 of'),
        (np.array([{}], object), 'is not a NumPy array'),
        (b'', 'is not a NumPy array'),
        (b'some text', 'is not a NumPy array'),
        (None, 'is not a NumPy array'),
    ],
    ids=['shape', 'type', 'objects', 'empty', 'text', 'missing'],
)
def test_another_file_is_refused_in_one_line(
    tmp_path: Path, content: np.ndarray | bytes | None, message: str
) -> None:
    path = tmp_path / 'merge.npy'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(BundleError) as caught:
        MergeTable.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)
