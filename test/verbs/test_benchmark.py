"""`stseg benchmark` on the tiny bundle: what is there and how it fits together, never how long."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.tiny_bundle import WORKING_HW, write_redness_network, write_tiny_bundle

from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, write_manifest
from stseg_ros.cli import main
from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.measure.benchmark import frames

QUICK = ('--quick', '--backend', 'onnxruntime', '--sizes', '160x90,256x128')


def write_bundle_with_whole(root: Path) -> Path:
    write_tiny_bundle(root)
    manifest = ModelBundle.read(root).manifest
    path = root / 'whole.onnx'
    write_redness_network(path, WORKING_HW, batch=1, gain=8.0)
    file = NetworkFile(file=path.name, sha256=file_sha256(path))
    networks = dataclasses.replace(manifest.networks, whole=file)
    write_manifest(root, dataclasses.replace(manifest, networks=networks))
    return root


def write_blocks(folder: Path) -> Path:
    """Images at the working size whose red blocks are larger than a coarse pixel."""
    folder.mkdir()
    for seed in range(3):
        red = np.random.default_rng(seed).integers(0, 2, (4, 8)).astype(np.uint8)
        red = np.kron(red, np.ones((32, 32), np.uint8))[..., None]
        image = np.where(red, np.uint8([0, 0, 255]), np.uint8([0, 255, 0]))
        cv2.imwrite(str(folder / f'{seed}.png'), image)
    return folder


def benchmark(*arguments: object) -> int:
    return main(['benchmark', *map(str, arguments)])


@pytest.fixture(scope='module')
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('benchmark')
    bundle = write_bundle_with_whole(folder / 'tiny')
    places = '--images', write_blocks(folder / 'blocks'), '--output', folder / 'out'
    arguments = ('--bundle', bundle, *QUICK, *places, '--regions', '0,4,16')
    assert benchmark(*arguments, '--json', folder / 'out' / 'again.json') == 0
    return folder / 'out'


@pytest.fixture
def document(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / 'benchmark.json').read_text())
    return content


def test_what_was_asked_for_is_written(output: Path) -> None:
    names = {path.name for path in output.iterdir()}
    figures = {'time_by_regions.png', 'time_by_size.png', 'time_by_cameras.png'}
    assert names == {'benchmark.json', 'again.json', *figures}
    assert (output / 'benchmark.json').read_text() == (output / 'again.json').read_text()
    assert all((output / name).read_bytes().startswith(b'\x89PNG') for name in figures)


def test_every_case_is_a_row_in_order(document: dict[str, Any]) -> None:
    ways = [('whole', 0), ('coarse', 0), ('two_stage', 4), ('two_stage', 16)]
    ways += [('reference', 4), ('reference', 16)]
    expected = [(size, *way) for size in ('160x90', '256x128') for way in ways]
    rows = document['results']
    assert [(row['size'], row['mode'], row['regions']) for row in rows] == expected
    rounds, turn = document['procedure']['rounds'], document['procedure']['frames_per_turn']
    assert {row['frames'] for row in rows} == {rounds * turn}


def test_the_figures_of_a_row_fit_together(document: dict[str, Any]) -> None:
    for row in document['results']:
        for times in (row['ms'], *row['stages_ms'].values()):
            assert 0.0 < times['p50'] <= times['p95'] <= times['p99']
        ratios = {name: row[name] for name in ('faster_than_whole', 'faster_than_reference')}
        assert (ratios['faster_than_whole'] is None) == (row['mode'] == 'whole')
        assert (ratios['faster_than_reference'] is None) == (row['mode'] != 'two_stage')
        ratios['pipeline'] = row['pipeline_over_networks']
        for ratio in filter(None, ratios.values()):
            assert 0.0 < ratio['low'] <= ratio['ratio'] <= ratio['high']
        if row['mode'] != 'whole':
            # The stages hold the network calls, and the call holds the stages.
            assert row['pipeline_over_networks']['low'] >= 1.0
            assert row['networks_ms']['p50'] <= row['ms']['p50']
        if row['regions']:
            assert list(row['stages_ms']) == ['preprocess', 'coarse', 'select', 'refine', 'fuse']


def test_cameras_are_timed_at_the_size_nearest_to_a_camera(document: dict[str, Any]) -> None:
    """The bundle's own 4 regions, of which a batch of 16 holds those of four cameras."""
    rows = document['cameras']
    expected = [(1, 'in turn')]
    expected += [(count, way) for count in (2, 3, 4) for way in ('in turn', 'joined')]
    assert [(row['cameras'], row['way']) for row in rows] == expected
    assert {(row['size'], row['regions']) for row in rows} == {('256x128', 4)}
    assert all(row['round_ms']['p50'] > 0.0 for row in rows)


def test_masks_are_equal_where_the_arithmetic_is(document: dict[str, Any]) -> None:
    """With all cells refined, at the working size, both give the refine network's own answer."""
    (masks,) = [
        row for row in document['masks'] if (row['size'], row['regions']) == ('256x128', 16)
    ]
    assert (masks['equal_masks'], masks['frames']) == (2, 2)
    assert masks['dice'] == masks['dice_ranked_by_logits'] == 1.0
    assert len(document['masks']) == 4
    assert all(0.0 <= row['dice'] <= 1.0 for row in document['masks'])


def test_the_document_tells_what_was_measured_and_on_what(document: dict[str, Any]) -> None:
    assert (document['schema'], document['bundle']) == (2, 'tiny')
    assert document['whole_network'] == 'own'
    assert set(document['sha256']) == {'coarse', 'refine', 'whole'}
    assert document['backend'] == 'onnxruntime'
    assert document['machine']['usable_cores'] >= 1
    assert {'python', 'numpy'} <= set(document['versions'])
    assert document['procedure']['frames_from'] == '2 of 3 images of blocks'
    memory = document['memory_mib']
    assert memory['peak'] >= memory['measured'] > 1.0
    has_energy = not document['energy'].startswith('not available')
    assert all((row['energy_mj'] is not None) == has_energy for row in document['results'])


def test_a_bundle_without_baseline_borrows_one_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Scenes of the usual size take long to draw.
    monkeypatch.setattr(frames, 'render_scene', lambda seed: render_scene(seed, (48, 64)))
    bundle, path = write_tiny_bundle(tmp_path / 'tiny'), tmp_path / 'new' / 'timing.json'
    size = '--sizes', '160x90'
    arguments = *QUICK, *size, '--regions', '2', '--cameras', '2', '--json', path
    assert benchmark('--bundle', bundle, *arguments) == 0
    shown = capsys.readouterr().out
    assert 'note: the bundle has no whole-frame network' in shown
    assert '2 synthetic scenes' in shown
    assert 'x faster than whole' in shown
    assert f'written: {path}' in shown
    document = json.loads(path.read_text())
    assert document['whole_network'] == 'refine network, enlarged'
    found = [(row['cameras'], row['way']) for row in document['cameras']]
    assert found == [(1, 'in turn'), (2, 'in turn'), (2, 'joined')]
    assert set(document['sha256']) == {'coarse', 'refine'}
    assert [row['mode'] for row in document['results']] == [
        'whole',
        'coarse',
        'two_stage',
        'reference',
    ]


def test_a_refine_network_that_sees_the_coarse_logits_has_nothing_to_compare_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tiny_bundle(tmp_path / 'tiny')
    manifest = ModelBundle.read(root).manifest
    geometry = dataclasses.replace(manifest.geometry, prior=True)
    path = root / 'refine.onnx'
    write_redness_network(path, geometry.region_hw, batch=None, gain=8.0, prior_gain=1.0)
    refine = NetworkFile(file=path.name, sha256=file_sha256(path))
    networks = dataclasses.replace(manifest.networks, refine=refine)
    write_manifest(root, dataclasses.replace(manifest, geometry=geometry, networks=networks))
    images, target = write_blocks(tmp_path / 'blocks'), tmp_path / 'timing.json'
    places = '--bundle', root, '--images', images, '--json', target
    quick = '--quick', '--backend', 'onnxruntime', '--sizes', '64x48', '--cameras', '0'
    assert benchmark(*places, *quick) == 0
    shown = capsys.readouterr().out
    assert 'no whole-frame baseline: its refine network needs the coarse logits' in shown
    assert 'no published procedure: ' in shown
    document = json.loads(target.read_text())
    assert {row['mode'] for row in document['results']} == {'coarse', 'two_stage'}
    assert (document['whole_network'], document['reference']) == (None, None)
    assert document['masks'] == document['cameras'] == []


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--sizes', '1280*720'), "--sizes is '1280*720'; give sizes such as"),
        (('--sizes', '640x480,4x4'), '--sizes has 4x4; give 16x16 to'),
        (('--regions', '4,17'), 'give numbers from 0 (coarse only) to 16'),
        (('--regions', 'all'), "--regions is 'all'; give whole numbers"),
        (('--regions', '1,2,3,4,5,6,7,8,9'), 'give at most 8 numbers above 0'),
        (('--repeats', '1'), '--repeats is 1; give 2 to'),
        (('--frames', '0'), '--frames is 0; give 1 to'),
        (('--cameras', '1,17'), "--cameras is '1,17'; give numbers from 1 to 16, or 0"),
        (('--cameras', 'all'), "--cameras is 'all'; give whole numbers"),
        (('--seed', '-1'), '--seed is -1; give 0 or more'),
        (('--backend', 'magic'), "--backend is 'magic'; expected one of"),
        (('--images', '/nowhere'), '/nowhere: no such folder'),
        (('--json', '/proc/no/such.json'), 'cannot be written'),
        (('--json', '/'), '/ is a folder or read-only'),
        (('--bundle', 'nothing'), "'nothing' is neither a bundle folder nor"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    bundle = write_tiny_bundle(tmp_path / 'tiny')
    assert benchmark('--bundle', bundle, '--quick', '--sizes', '160x90', *arguments) == 2
    shown = capsys.readouterr().err.strip()
    assert message in shown
    assert shown.startswith('stseg benchmark: ')
    assert len(shown.splitlines()) == 1
