"""`stseg evaluate` on a bundle that finds red things, and images of red blocks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from support.tiny_bundle import WORKING_HW, write_redness_network, write_tiny_bundle

from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, write_manifest
from stseg_ros.cli import main

IMAGE_HW = (96, 160)


def write_images(root: Path, count: int = 3) -> Path:
    """Red blocks whose upper left corners move to the right; a mask of each, 128 is ignored."""
    for folder in ('images', 'masks'):
        (root / folder).mkdir(parents=True)
    for index in range(count):
        image = np.full((*IMAGE_HW, 3), 100, np.uint8)
        mask = np.zeros(IMAGE_HW, np.uint8)
        left = 10 + 20 * index
        image[20:70, left : left + 51] = (40, 40, 240)
        mask[20:70, left : left + 51] = 1
        mask[90:] = 128
        cv2.imwrite(str(root / 'images' / f'street_{index}.png'), image)
        cv2.imwrite(str(root / 'masks' / f'street_{index}.png'), mask)
    return root


def write_bundle(root: Path, *, name: str = 'tiny', whole: bool = False) -> Path:
    write_tiny_bundle(root)
    manifest = dataclasses.replace(ModelBundle.read(root).manifest, name=name)
    if whole:
        path = root / 'whole.onnx'
        write_redness_network(path, WORKING_HW, batch=1, gain=8.0)
        file = NetworkFile(file=path.name, sha256=file_sha256(path))
        networks = dataclasses.replace(manifest.networks, whole=file)
        manifest = dataclasses.replace(manifest, networks=networks)
    write_manifest(root, manifest)
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_images(tmp_path / 'data')


def evaluate(*arguments: object) -> int:
    return main(['evaluate', *map(str, arguments), '--backend', 'onnxruntime'])


def folders(data: Path) -> tuple[object, ...]:
    return '--dataset', 'folders', '--data', data, '--ignore-ids', '128'


def test_scores_every_mode_the_bundle_has(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / 'tiny', whole=True)
    path = tmp_path / 'scores' / 'all.json'
    assert evaluate('--bundle', bundle, *folders(data), '--json', path) == 0
    content = json.loads(path.read_text())
    rows = {(row['mode'], row['regions']): row for row in content['results']}
    assert list(rows) == [
        ('whole', 0),
        ('coarse', 0),
        *(('two_stage', count) for count in (2, 4, 8, 16)),
    ]
    for row in rows.values():
        assert row['images'] == 3
        assert 0.8 < row['dice'] <= 1.0
        assert row['iou'] == pytest.approx(row['dice'] / (2.0 - row['dice']), abs=2e-4)
        assert row['by_size']['large']['components'] == 3
        assert row['by_size']['small']['recall'] is None
        assert (row['bundle'], row['grid']) == ('tiny', [4, 4])
    # Both see every pixel at the working size, with networks that compute the same.
    assert rows['whole', 0]['dice'] == rows['two_stage', 16]['dice'] > rows['coarse', 0]['dice']
    # Three weights for each of 16x32 pixels, and for each pixel of a region of 32x64.
    assert rows['two_stage', 4]['macs'] == 3 * 16 * 32 + 4 * 3 * 32 * 64
    assert rows['whole', 0]['macs'] == 3 * 128 * 256
    assert content['schema'] == 1
    assert (content['dataset'], content['split'], content['images']) == ('folders', 'all', 3)
    assert content['bundles'][0]['backend'] == 'onnxruntime'
    assert content['bundles'][0]['threshold'] == 0.5
    assert [image['name'] for image in content['per_image'][0]['images']] == [
        f'street_{index}' for index in range(3)
    ]
    printed = capsys.readouterr().out
    assert 'folders all: 3 images' in printed
    assert 'two_stage, paste  16' in printed


def test_ignored_rows_do_not_count(tmp_path: Path, data: Path) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    path = tmp_path / 'scores.json'
    assert evaluate('--bundle', bundle, *folders(data), '--json', path, '--regions', 4) == 0
    content = json.loads(path.read_text())
    # 50 rows of 51 pixels; the mask's 128 would be vehicle were it not ignored.
    images = content['per_image'][0]['images']
    assert [image['vehicle_pixels'] for image in images] == [50 * 51] * 3


def test_output_has_figure_and_pictures(tmp_path: Path, data: Path) -> None:
    bundle, output = write_bundle(tmp_path / 'tiny'), tmp_path / 'out'
    assert evaluate('--bundle', bundle, *folders(data), '--regions', '4', '--output', output) == 0
    assert json.loads((output / 'evaluation.json').read_text())['results'][1]['regions'] == 4
    figure = cv2.imread(str(output / 'dice_and_macs.png'))
    assert figure is not None
    assert figure.std() > 5.0
    names = sorted(path.name for path in (output / 'pictures').iterdir())
    assert [name.partition('_street_')[0] for name in names] == ['best_1', 'median_1', 'worst_1']
    # Fewer pictures the next time: the old ones are gone.
    arguments = (*folders(data), '--only', '*_1', '--output', output)
    assert evaluate('--bundle', bundle, *arguments) == 0
    assert [path.name for path in (output / 'pictures').iterdir()] == ['only_1_street_1.jpg']


def test_several_bundles_are_compared(tmp_path: Path, data: Path) -> None:
    first = write_bundle(tmp_path / 'first', name='np_first')
    second = write_bundle(tmp_path / 'second', name='np_second')
    output = tmp_path / 'out'
    arguments = (*folders(data), '--regions', '2,4', '--output', output, '--threshold', '0.7')
    assert evaluate('--bundle', first, '--bundle', second, *arguments) == 0
    content = json.loads((output / 'evaluation.json').read_text())
    assert [(row['bundle'], row['regions']) for row in content['results']] == [
        (name, count) for name in ('np_first', 'np_second') for count in (0, 2, 4)
    ]
    assert {row['threshold'] for row in content['results']} == {0.7}
    assert sorted(path.name for path in (output / 'pictures').iterdir()) == [
        'np_first',
        'np_second',
    ]


def test_synthetic_scenes_need_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    bundle, path = write_bundle(tmp_path / 'tiny'), tmp_path / 'scores.json'
    arguments = ('--dataset', 'synthetic', '--scenes', 1, '--regions', 2, '--json', path)
    assert evaluate('--bundle', bundle, *arguments) == 0
    content = json.loads(path.read_text())
    assert content['images'] == 1
    assert content['per_image'][0]['images'][0]['name'] == '800000'


def test_training_images_are_pointed_out(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    content = yaml.safe_load((bundle / 'bundle.yaml').read_text())
    content['provenance'] = {'sources': [{'dataset': 'folders', 'images': 3}]}
    (bundle / 'bundle.yaml').write_text(yaml.safe_dump(content))
    assert evaluate('--bundle', bundle, *folders(data), '--regions', '2') == 0
    assert 'note: tiny was trained on images of folders' in capsys.readouterr().out


@pytest.mark.torch
def test_a_run_is_exported_for_the_while(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')
    from stseg_ros.training import export_bundle

    seen = {}

    def export_run(run_dir: Path, bundle_dir: Path, images_hwc: list[np.ndarray]) -> ModelBundle:
        seen.update(run=run_dir, folder=bundle_dir, shapes=[image.shape for image in images_hwc])
        return ModelBundle.read(write_bundle(bundle_dir, name='of_a_run'))

    monkeypatch.setattr(export_bundle, 'export_run', export_run)
    path = tmp_path / 'scores.json'
    arguments = (*folders(data), '--regions', '2', '--json', path)
    assert evaluate('--run', tmp_path / 'run', *arguments) == 0
    assert json.loads(path.read_text())['results'][0]['bundle'] == 'of_a_run'
    assert seen['run'] == tmp_path / 'run'
    assert seen['shapes'] == [(*IMAGE_HW, 3)] * 3
    assert not seen['folder'].exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--regions', '4,x'), "--regions is '4,x'; give whole numbers"),
        (('--regions', '17'), "--regions is '17'; give numbers from 1 to 16"),
        (('--regions', '0'), 'coarse only is always scored'),
        (('--only', 'road*'), "none of the 3 images of folders all is named 'road*'"),
        (('--split', 'val'), "folders has no split 'val'"),
        (('--pictures', '-1'), '--pictures is -1; give 0 or more'),
        (('--threshold', '2'), 'threshold is 2.0'),
        (('--bundle', 'no_such_bundle'), 'neither a bundle folder nor a shipped bundle'),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    bundle = () if '--bundle' in arguments else ('--bundle', write_bundle(tmp_path / 'tiny'))
    assert evaluate(*bundle, *folders(data), *arguments) == 2
    shown = capsys.readouterr().err.strip()
    assert shown.startswith('stseg evaluate: ')
    assert message in shown
    assert '\n' not in shown


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--dataset', 'camvid'), '--data is missing; give the folder of camvid'),
        (('--dataset', 'synthetic', '--scenes', '0'), '--scenes is 0'),
        (('--dataset', 'synthetic', '--only', '8*'), '--only is not for --dataset synthetic'),
        (
            ('--dataset', 'kitti', '--data', '.', '--masks', 'm'),
            '--masks is for --dataset folders',
        ),
        (
            ('--dataset', 'synthetic', '--images', '*.png'),
            '--images is for --dataset folders',
        ),
    ],
)
def test_arguments_that_do_not_go_together(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert evaluate(*arguments) == 2
    assert message in capsys.readouterr().err


def test_bundles_of_one_name_are_refused(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles = [write_bundle(tmp_path / name) for name in ('one', 'two')]
    assert evaluate('--bundle', bundles[0], '--bundle', bundles[1], *folders(data)) == 2
    assert "two bundles are named 'tiny'" in capsys.readouterr().err


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
def test_whole_network_of_another_size_is_named(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    bundle = write_bundle(tmp_path / 'tiny', whole=True)
    write_redness_network(bundle / 'whole.onnx', (64, 64), batch=1, gain=8.0)
    content = yaml.safe_load((bundle / 'bundle.yaml').read_text())
    content['networks']['whole']['sha256'] = file_sha256(bundle / 'whole.onnx')
    (bundle / 'bundle.yaml').write_text(yaml.safe_dump(content))
    arguments = ['--bundle', str(bundle), *map(str, folders(data)), '--backend', backend]
    assert main(['evaluate', *arguments]) == 2
    assert 'whole.onnx: maps (1, 64, 64, 3) to (1, 64, 64)' in capsys.readouterr().err


def test_the_papers_settings_are_one_flag_away(tmp_path: Path, data: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / 'tiny', regions=7)
    path = tmp_path / 'paper.json'
    paper = ('--preset', 'paper', '--threshold', '0.4')
    assert evaluate('--bundle', bundle, *folders(data), *paper, '--json', path) == 0
    content = json.loads(path.read_text())
    (facts,) = content['bundles']
    assert (facts['selector'], facts['fusion'], facts['threshold']) == ('grid', 'paste', 0.4)
    assert 4 in [row['regions'] for row in content['results']]
    assert evaluate('--bundle', bundle, *folders(data), '--selector=sliding', '--json', path) == 0
    content = json.loads(path.read_text())
    assert content['bundles'][0]['selector'] == 'sliding'
    # The bundle's own number of regions is scored, too.
    assert [row['regions'] for row in content['results']] == [0, 2, 4, 7, 8, 16]
