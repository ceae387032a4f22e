"""KITTI's text files, right and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from stseg_ros.errors import DataError
from stseg_ros.sources.kitti_files import read_kitti_calibration, read_kitti_stamps

# 2011-09-26 13:02:25 UTC: 15243 days and 46945 seconds after 1970-01-01.
SECOND_NS = (15243 * 86400 + 13 * 3600 + 2 * 60 + 25) * 10**9


def images(*numbers: int) -> list[Path]:
    """Name images as KITTI does."""
    return [Path(f'{number:010d}.png') for number in numbers]


def test_stamps_keep_nanoseconds(tmp_path: Path) -> None:
    file = tmp_path / 'timestamps.txt'
    file.write_text(
        '2011-09-26 13:02:25.964389445\n2011-09-26 13:02:26.06\n2011-09-26 13:02:27\n\n'
    )
    assert read_kitti_stamps(file, images(0, 1, 2)) == (
        SECOND_NS + 964_389_445,
        SECOND_NS + 1_060_000_000,
        SECOND_NS + 2_000_000_000,
    )


def test_an_image_takes_the_line_of_its_number(tmp_path: Path) -> None:
    file = tmp_path / 'timestamps.txt'
    file.write_text('\n'.join(f'2011-09-26 13:02:{second}' for second in range(25, 35)))
    stamps = read_kitti_stamps(file, images(3, 7))
    assert stamps == (SECOND_NS + 3 * 10**9, SECOND_NS + 7 * 10**9)


@pytest.mark.parametrize(
    ('text', 'numbers', 'message'),
    [
        ('2011-09-26 13:02:25', (0, 1), 'has 1 times, but none for 0000000001.png'),
        ('', (0,), 'has 0 times'),
        ('2011-09-26T13:02:25', (0,), "line 1 is '2011-09-26T13:02:25', expected a time"),
        ('2011-13-26 13:02:25', (0,), 'line 1 is'),
        ('2011-09-26 13:02:25\n\n2011-09-26 13:02:26', (0,), "line 2 is ''"),
        ('2011-09-26 13:02:25\n2011-09-26 13:02:25', (0, 1), '0000000001.png is not later'),
        ('2011-09-26 13:02:25\n2011-09-26 13:02:24', (0, 1), 'not later.*--rate'),
    ],
)
def test_stamps_that_cannot_be_used(
    tmp_path: Path, text: str, numbers: tuple[int, ...], message: str
) -> None:
    file = tmp_path / 'timestamps.txt'
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_kitti_stamps(file, images(*numbers))


def test_an_image_without_number_has_no_line(tmp_path: Path) -> None:
    file = tmp_path / 'timestamps.txt'
    file.write_text('2011-09-26 13:02:25')
    with pytest.raises(DataError, match=r'none for left\.png'):
        read_kitti_stamps(file, [Path('left.png')])


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='cannot be read'):
        read_kitti_stamps(tmp_path / 'missing', images(0))
    with pytest.raises(DataError, match='cannot be read'):
        read_kitti_calibration(tmp_path / 'missing', '02')
    (tmp_path / 'binary').write_bytes(b'\xff\xfe')
    with pytest.raises(DataError, match='cannot be read'):
        read_kitti_calibration(tmp_path / 'binary', '02')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('P_rect_02: 1', 'no entry S_rect_02'),
        ('S_rect_02: 1242 375', 'no entry P_rect_02'),
        ('S_rect_02: 1242', 'S_rect_02 has 1 numbers, expected 2'),
        ('S_rect_02: 1242 375\nP_rect_02: 1 2 3', 'P_rect_02 has 3 numbers, expected 12'),
        ('S_rect_02: wide 375', "S_rect_02: could not convert string to float: 'wide'"),
    ],
)
def test_calibration_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / 'calib_cam_to_cam.txt'
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_kitti_calibration(file, '02')
