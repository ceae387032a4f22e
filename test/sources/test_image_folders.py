"""The layouts that users have on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stseg_ros.errors import DataError
from stseg_ros.sources.image_folders import ImageFolder, list_images, open_image_folder

CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
S_rect_02: 1.242000e+03 3.750000e+02
P_rect_02: 7.2e+02 0 6.1e+02 4.5e+01 0 7.2e+02 1.7e+02 2.2e-01 0 0 1 2.7e-03
S_rect_03: 1.242000e+03 3.750000e+02
P_rect_03: 1 0 2 3 0 4 5 6 0 0 1 7
"""


def touch(root: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'')


def names(folder: ImageFolder, root: Path) -> list[str]:
    """Return the images relative to a folder."""
    return [path.relative_to(root.resolve()).as_posix() for path in folder.images]


def test_plain_folder_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, 'frame10.png', 'frame9.JPG', 'frame2.jpeg', 'notes.txt', 'sub/frame1.png')
    touch(tmp_path, 'b.png', 'B2.png', '7.png', '07.png')
    folder = open_image_folder(tmp_path)
    assert folder.layout == 'plain'
    assert names(folder, tmp_path) == [
        '07.png',
        '7.png',
        'b.png',
        'B2.png',
        'frame2.jpeg',
        'frame9.JPG',
        'frame10.png',
    ]
    assert folder.stamps_file is None
    assert folder.calibration is None


def test_a_folder_named_like_an_image_is_none(tmp_path: Path) -> None:
    (tmp_path / 'x.png').mkdir()
    assert list_images(tmp_path) == ()
    assert list_images(tmp_path / 'missing') == ()


@pytest.mark.parametrize(
    'start', ['', 'drive_1_sync', 'drive_1_sync/image_02', 'drive_1_sync/image_02/data', '..']
)
def test_kitti_raw_from_any_level(tmp_path: Path, start: str) -> None:
    date = tmp_path / '2011_09_26'
    touch(date, *(f'drive_1_sync/image_02/data/000000000{index}.png' for index in range(3)))
    touch(date, 'drive_1_sync/image_03/data/0000000000.png')
    touch(date, 'drive_1_sync/image_02/timestamps.txt')
    (date / 'calib_cam_to_cam.txt').write_text(CALIBRATION)
    folder = open_image_folder(date / start)
    assert folder.layout == 'KITTI raw'
    assert [path.name for path in folder.images] == [f'000000000{index}.png' for index in range(3)]
    assert folder.stamps_file == date.resolve() / 'drive_1_sync/image_02/timestamps.txt'
    assert folder.calibration is not None
    assert folder.calibration.size_hw == (375, 1242)
    assert folder.calibration.projection_3x4[2:4] == (610.0, 45.0)


def test_kitti_raw_of_another_camera_with_calibration_in_the_drive(tmp_path: Path) -> None:
    touch(tmp_path, 'image_03/data/0000000000.png', 'image_02/data/0000000000.png')
    (tmp_path / 'calib_cam_to_cam.txt').write_text(CALIBRATION)
    folder = open_image_folder(tmp_path / 'image_03')
    assert names(folder, tmp_path) == ['image_03/data/0000000000.png']
    assert folder.calibration is not None
    assert folder.calibration.projection_3x4 == (1, 0, 2, 3, 0, 4, 5, 6, 0, 0, 1, 7)


def test_kitti_raw_without_the_drive_level(tmp_path: Path) -> None:
    touch(tmp_path, '2011_09_26/image_02/data/0000000000.png')
    folder = open_image_folder(tmp_path)
    assert folder.layout == 'KITTI raw'
    assert (folder.stamps_file, folder.calibration) == (None, None)


def test_several_drives_ask_for_one(tmp_path: Path) -> None:
    touch(tmp_path, 'd_1/image_02/data/0.png', 'd_2/image_02/data/0.png')
    with pytest.raises(DataError, match='2 drives; give one of: d_1, d_2'):
        open_image_folder(tmp_path)


def test_kitti_drive_without_images(tmp_path: Path) -> None:
    touch(tmp_path, 'image_02/data/readme.txt')
    with pytest.raises(DataError, match=r'data: holds no \.png'):
        open_image_folder(tmp_path)


@pytest.mark.parametrize('start', ['', 'training'])
def test_kitti_semantic(tmp_path: Path, start: str) -> None:
    touch(tmp_path, 'training/image_2/000001_10.png', 'training/image_2/000000_10.png')
    touch(tmp_path, 'training/semantic/000000_10.png')
    folder = open_image_folder(tmp_path / start)
    assert folder.layout == 'KITTI semantic'
    assert [path.name for path in folder.images] == ['000000_10.png', '000001_10.png']


@pytest.mark.parametrize('start', ['', 'images/10k'])
def test_bdd100k_takes_every_split_in_turn(tmp_path: Path, start: str) -> None:
    touch(tmp_path, 'images/10k/val/a.jpg', 'images/10k/train/b.jpg', 'images/10k/train/a.jpg')
    touch(tmp_path, 'labels/sem_seg/masks/val/a.png')
    folder = open_image_folder(tmp_path / start)
    assert folder.layout == 'BDD100K'
    parts = [path.parts[-2:] for path in folder.images]
    assert parts == [('train', 'a.jpg'), ('train', 'b.jpg'), ('val', 'a.jpg')]


def test_one_split_is_a_plain_folder(tmp_path: Path) -> None:
    touch(tmp_path, 'images/10k/val/a.jpg', 'images/10k/train/b.jpg')
    folder = open_image_folder(tmp_path / 'images/10k/val')
    assert [path.name for path in folder.images] == ['a.jpg']


def test_images_beside_masks_are_taken_without_the_preview(tmp_path: Path) -> None:
    touch(tmp_path, 'preview.jpg', 'images/b.png', 'images/a.png', 'masks/a.png', 'masks/b.png')
    folder = open_image_folder(tmp_path)
    assert folder.layout == 'images and masks'
    assert names(folder, tmp_path) == ['images/a.png', 'images/b.png']


def test_the_folder_above_several_data_sets_asks_for_one(tmp_path: Path) -> None:
    touch(tmp_path, 'raw/day/image_02/data/0.png', 'raw/day/image_03/data/0.png')
    touch(tmp_path, 'kitti/training/image_2/0.png', 'bdd/images/10k/val/a.jpg')
    touch(tmp_path, 'cam/train/a.png', 'cam/trainannot/a.png', 'notes/a.txt')
    choices = 'bdd, cam/train, cam/trainannot, kitti, raw/day'
    with pytest.raises(DataError, match=f'5 folders of images; give one of: {choices}$'):
        open_image_folder(tmp_path)
    touch(tmp_path, 'stray.png')
    with pytest.raises(DataError, match=f'holds images itself .* one of: {choices}, or move'):
        open_image_folder(tmp_path)


def test_only_some_of_many_choices_are_named(tmp_path: Path) -> None:
    touch(tmp_path, *(f'{index:02d}/a.jpg' for index in range(11)))
    with pytest.raises(DataError, match=r'11 folders of images; .*: 00, 01, .*, 07 and 3 more$'):
        open_image_folder(tmp_path)


def test_a_single_data_set_is_found_below(tmp_path: Path) -> None:
    touch(tmp_path, 'all/kitti/training/image_2/0.png')
    assert open_image_folder(tmp_path).layout == 'KITTI semantic'


def test_nothing_to_find(tmp_path: Path) -> None:
    touch(tmp_path, 'train/a.txt')
    with pytest.raises(DataError, match=r'no \.jpg or \.png images; .*image_02/data.*BDD100K'):
        open_image_folder(tmp_path)
    with pytest.raises(DataError, match='no such folder'):
        open_image_folder(tmp_path / 'missing')
    with pytest.raises(DataError, match='no such folder'):
        open_image_folder(tmp_path / 'train' / 'a.txt')


def forbid(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Refuse to list folders, as the system does to all but root."""
    iterdir = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path in folders:
            raise PermissionError(13, 'Permission denied', str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, 'iterdir', refuse)


def test_hidden_and_unreadable_folders_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, '.cache/a.png', 'lost+found/a.png', 'kitti/training/image_2/0.png')
    touch(tmp_path, 'sub/closed/a.png')
    forbid(monkeypatch, tmp_path / 'lost+found', tmp_path / 'sub' / 'closed')
    assert open_image_folder(tmp_path).layout == 'KITTI semantic'
    # A hidden folder that is named is taken.
    assert names(open_image_folder(tmp_path / '.cache'), tmp_path) == ['.cache/a.png']


def test_the_named_folder_must_be_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, 'closed/a.png')
    forbid(monkeypatch, tmp_path / 'closed')
    with pytest.raises(DataError, match=r'closed: cannot be read \(Permission denied\); expected'):
        open_image_folder(tmp_path / 'closed')


@pytest.mark.data
@pytest.mark.parametrize(
    ('start', 'layout', 'count', 'first'),
    [
        ('kitti_raw', 'KITTI raw', 54, '0000000000.png'),
        ('kitti', 'KITTI semantic', 34, None),
        ('bdd100k', 'BDD100K', 17, None),
        ('camvid/val', 'plain', 101, '0016E5_07959.png'),
    ],
)
def test_real_folders(
    data_root: Path, start: str, layout: str, count: int, first: str | None
) -> None:
    folder = open_image_folder(data_root / start)
    assert (folder.layout, len(folder.images)) == (layout, count)
    assert first is None or folder.images[0].name == first
