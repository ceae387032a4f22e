"""Tests of `stseg scenes`."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from stseg_ros.cli import main


def run(output: Path, *arguments: str) -> int:
    return main(['scenes', '--output', str(output), '--size', '96x64', *arguments])


def test_plain_scenes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / 'out', '--count', '2') == 0
    assert cv2.imread(str(tmp_path / 'out/images/000001.png')).shape == (64, 96, 3)
    assert len(list((tmp_path / 'out/masks').iterdir())) == 2
    assert capsys.readouterr().out == (
        f'2 scenes in {tmp_path}/out; look at {tmp_path}/out/preview.jpg\n'
    )


@pytest.mark.parametrize(
    ('layout', 'image'),
    [
        ('kitti', 'training/image_2/000000_10.png'),
        ('bdd100k', 'images/10k/train/synthetic-000000.jpg'),
        ('drive', 'image_02/data/0000000000.png'),
    ],
)
def test_layouts(tmp_path: Path, layout: str, image: str) -> None:
    assert run(tmp_path / 'out', '--layout', layout, '--count', '1') == 0
    assert cv2.imread(str(tmp_path / 'out' / image)).shape == (64, 96, 3)
    assert (tmp_path / 'out/preview.jpg').is_file()


def test_rate_spaces_the_frames_of_a_drive(tmp_path: Path) -> None:
    assert run(tmp_path / 'out', '--layout', 'drive', '--count', '3', '--rate', '10') == 0
    lines = (tmp_path / 'out/image_02/timestamps.txt').read_text().splitlines()
    assert [line.split('.')[1] for line in lines] == ['000000000', '100000000', '200000000']


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name, seed in (('one', '5'), ('two', '5'), ('three', '6')):
        assert run(tmp_path / name, '--count', '1', '--seed', seed) == 0
    one, two, three = (
        (tmp_path / name / 'images/000000.png').read_bytes() for name in ('one', 'two', 'three')
    )
    assert one == two
    assert one != three


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--size', '1280'], "--size is '1280'; give width x height, such as 1280x720"),
        (['--size', '1280x7'], '--size is 1280x7; give edges of 32 to 4096 pixels'),
        (['--count', '0'], '--count is 0; give 1 or more'),
        (['--seed', '-1'], '--seed is -1; give 0 or more'),
        (['--rate', '5'], '--rate is for a drive; add --layout drive, or leave --rate out'),
        (['--layout', 'drive', '--rate', '0'], '--rate is 0 Hz; give 0.1 to 1000'),
    ],
)
def test_wrong_arguments_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(tmp_path / 'out', *arguments) == 2
    assert capsys.readouterr().err == f'stseg scenes: {message}\n'
    assert not (tmp_path / 'out').exists()


def test_a_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'kept.txt').write_text('kept')
    assert run(tmp_path, '--count', '1') == 2
    error = capsys.readouterr().err
    assert 'not an empty folder' in error
    assert error.startswith('stseg scenes: ')
