"""Tests of `stseg data`."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.cli import main


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Write three KITTI frames of two scenes, the first one half vehicle."""
    label_hw = np.full((30, 100), 7, np.uint8)
    for name, vehicle_rows in (('000018_10', 15), ('000019_10', 0), ('000020_10', 0)):
        label_hw[:] = 7
        label_hw[:vehicle_rows] = 26
        write(tmp_path / f'kitti/training/image_2/{name}.png', np.zeros((30, 100, 3), np.uint8))
        write(tmp_path / f'kitti/training/semantic/{name}.png', label_hw)
    return tmp_path / 'kitti'


def test_reports_and_draws(
    kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, report = tmp_path / 'sheet.png', tmp_path / 'report.json'
    assert main(['data', 'check', str(kitti), '--sheet', str(sheet), '--json', str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f'kitti in {kitti}'
    assert lines[2].split() == [
        *('train', '3', '2', '100x30'),
        *('0.0%', '0.0%', '16.7%', '50.0%', '0.0%', '2', '0'),
    ]
    assert lines[3] == 'note: train: no vehicle in 000019_10, 000020_10'
    assert lines[4] == f'contact sheet: {sheet}'
    assert cv2.imread(str(sheet)).shape[1] == 1980
    document = json.loads(report.read_text())
    assert document['schema'] == 'stseg_data_check/1'
    (found,) = document['datasets']
    assert (found['dataset'], found['folder']) == ('kitti', str(kitti))
    assert found['splits'][0]['vehicle_share']['max'] == 0.5


def test_a_folder_of_data_sets(kitti: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ('train', 'val'):
        write(kitti.parent / f'cam/{split}/a.png', np.zeros((8, 8, 3), np.uint8))
        write(kitti.parent / f'cam/{split}annot/a.png', np.full((8, 8), 8, np.uint8))
    assert main(['data', 'check', str(kitti.parent)]) == 0
    out = capsys.readouterr().out
    assert f'camvid in {kitti.parent}/cam\n' in out
    assert f'kitti in {kitti}\n' in out
    assert main(['data', 'check', str(kitti.parent / 'cam'), '--split', 'val']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ['camvid', 'split', 'val']


def test_folders_with_patterns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / 'd/rgb/1.jpg', np.zeros((8, 8, 3), np.uint8))
    write(
        tmp_path / 'd/gt/1_mask.png',
        np.repeat(np.array([[0, 5, 6, 9]], np.uint8), 2, axis=1).repeat(8, axis=0),
    )
    where = [str(tmp_path), '--dataset', 'folders', '--images', '*/rgb/*']
    where += ['--masks', '*/gt/*_mask.png', '--vehicle-ids', '5,6', '--ignore-ids', '9']
    assert main(['data', 'check', *where]) == 0
    assert capsys.readouterr().out.splitlines()[2].split() == [
        *('all', '1', '1', '8x8', '50.0%', '50.0%', '50.0%', '50.0%', '25.0%', '0', '0')
    ]


def test_broken_files_are_counted_and_end_in_an_error(
    kitti: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(kitti / 'training/semantic/000018_10.png', np.full((30, 100), 90, np.uint8))
    (kitti / 'training/image_2/000020_10.png').write_bytes(b'half')
    assert main(['data', 'check', str(kitti)]) == 2
    captured = capsys.readouterr()
    assert captured.out.splitlines()[2].split()[-1] == '2'
    error = captured.err.splitlines()[-1]
    assert error.startswith(f'stseg data: {kitti}/training/semantic/000018_10.png has values')
    assert error.endswith('; 1 more like it')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{kitti}/nowhere'], '{kitti}/nowhere is no folder; give the folder of a data set'),
        (['{kitti}', '--split', 'val'], "kitti has no split 'val'; give one of train"),
        (['{kitti}', '--sheet', '/no/where.png'], '/no/where.png: cannot be written'),
        (['{kitti}', '--images', 'a'], '--images is for --dataset folders; add that'),
        (['{kitti}', '--dataset', 'kitti', '--ignore-ids', '1'], '--ignore-ids is for --dataset'),
        (
            ['{kitti}', '--dataset', 'folders', '--vehicle-ids', 'car'],
            "--vehicle-ids is 'car'; give whole numbers",
        ),
        (['{kitti}', '--dataset', 'camvid'], 'camvid train: no images; looked for train/*'),
    ],
)
def test_wrong_use_is_named(
    kitti: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    words = [word.replace('{kitti}', str(kitti)) for word in arguments]
    assert main(['data', 'check', *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith('stseg data: ' + message.replace('{kitti}', str(kitti)))
    assert error.count('\n') == 1


@pytest.mark.data
def test_real_sets(data_root: Path, tmp_path: Path) -> None:
    report = tmp_path / 'report.json'
    assert main(['data', 'check', str(data_root), '--json', str(report)]) == 0
    found = {
        (dataset['dataset'], split['split']): split
        for dataset in json.loads(report.read_text())['datasets']
        for split in dataset['splits']
    }
    # Counts, sizes and shares as the data's own description states them.
    camvid = found['camvid', 'train']
    assert (camvid['images'], camvid['scenes'], camvid['sizes']) == (367, 3, {'480x360': 367})
    assert len(camvid['without_vehicle']) == 7
    assert found['kitti', 'train']['sizes'] == {'1242x375': 34}
    assert found['kitti', 'train']['vehicle_share']['max'] == pytest.approx(0.372, abs=0.0006)
    assert found['bdd100k', 'train']['known_wrong_labels'] == ['00d79c0a-23bea078']
    assert found['bdd100k', 'val']['vehicle_share']['mean'] == pytest.approx(0.107, abs=0.0006)
