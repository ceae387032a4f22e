"""Tests of the shared memory that a process uses, on a /proc made for the purpose."""

from __future__ import annotations

from pathlib import Path

from stseg_ros.ros_node.shared_segments import mapped_segments, own_segments

MAPS = """\
7f00-7f01 rw-s 00000000 00:15 11 /dev/shm/fastdds_0123456789abcdef
7f02-7f03 rw-s 00000000 00:15 12 /dev/shm/fastrtps_fedcba9876543210 (deleted)
7f04-7f05 rw-s 00000000 00:15 13 /dev/shm/fastdds_port7410
7f06-7f07 rw-s 00000000 00:15 14 /dev/shm/fastdds_0123456789abcdef_el
7f08-7f09 r-xp 00000000 00:15 15 /usr/lib/libfastdds.so.3.2
7f0a-7f0b rw-p 00000000 00:00 0
"""


def test_mapped_segments(tmp_path: Path) -> None:
    (tmp_path / 'maps').write_text(MAPS)
    assert mapped_segments(tmp_path) == {
        'fastdds_0123456789abcdef',
        'fastrtps_fedcba9876543210',
    }


def test_own_segments_are_those_whose_lock_is_open(tmp_path: Path) -> None:
    (tmp_path / 'fd').mkdir()
    for number, target in enumerate(
        (
            '/dev/shm/fastdds_0123456789abcdef_el',
            '/dev/shm/fastdds_port7410_el',
            '/dev/shm/fastdds_1123456789abcdef',
            'socket:[1234]',
        )
    ):
        (tmp_path / 'fd' / str(number)).symlink_to(target)
    (tmp_path / 'fd' / 'gone').write_text('no link')
    assert own_segments(tmp_path) == {'fastdds_0123456789abcdef'}


def test_a_kernel_that_does_not_tell(tmp_path: Path) -> None:
    assert mapped_segments(tmp_path) == own_segments(tmp_path) == set()
