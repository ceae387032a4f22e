"""`stseg export` of runs made by hand, on a small CamVid of red blocks.

Instead of the run's networks, whose export takes long and is tested with `export_onnx`, it writes
networks that find red things.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from support.tiny_bundle import write_redness_network
from support.tiny_training import write_camvid

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from support.hand_made_run import write_run

from stseg_ros.assembly import resolve_settings
from stseg_ros.bundle import ModelBundle
from stseg_ros.cli import main
from stseg_ros.config import PipelineConfig
from stseg_ros.training import export_bundle
from stseg_ros.training.export_parity import NetworkParity

pytestmark = pytest.mark.torch
LEFT_OUT = 'camvid left out (drive_0, drive_1)'


@pytest.fixture(autouse=True)
def exported_precisions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked = []

    def export_network(
        _: object, path: Path, input_hw: tuple[int, int], *, max_batch: int, precision: str
    ) -> None:
        asked.append(precision)
        batch = 1 if max_batch == 1 else None
        write_redness_network(path, input_hw, batch=batch, gain=8.0)

    fine = NetworkParity(largest_difference={'onnxruntime': 2e-6}, labels_changed=0.0)
    monkeypatch.setattr(export_bundle, 'export_network', export_network)
    monkeypatch.setattr(export_bundle, 'check_parity', lambda *_: fine)
    return asked


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_camvid(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp('runs') / 'run', data)


def export(*arguments: object) -> int:
    return main(['export', *map(str, arguments)])


def test_scores_what_was_left_out_and_the_baseline(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(run, '--output', tmp_path / 'bundle') == 0
    bundle = ModelBundle.read(tmp_path / 'bundle')
    tables = bundle.manifest.scores
    assert {name: table['images'] for name, table in tables.items()} == {
        LEFT_OUT: 2,
        'camvid val': 2,
        'camvid held out': 2,
    }
    chosen = bundle.manifest.recommended
    for table in tables.values():
        rows = [(row['mode'], row['regions']) for row in table['results']]
        two_stages = [('two_stage', count) for count in (2, 4, 8)]
        assert rows[:5] == [('whole', 0), ('coarse', 0), *two_stages]
        assert len(rows) == (5 if chosen.fusion == 'paste' else 6)
        # The blocks are red, and the baseline sees them at full resolution.
        assert table['results'][0]['dice'] > 0.97
    # Scored, but not shipped.
    assert bundle.whole_path is None
    names = sorted(path.name for path in bundle.root.iterdir())
    assert names == ['MODEL_CARD.md', 'bundle.yaml', 'coarse.onnx', 'refine.onnx']
    card = (bundle.root / 'MODEL_CARD.md').read_text()
    assert f'### {LEFT_OUT}: 2 images' in card
    assert 'left out of training and choices: drive_0, drive_1' in card
    assert 'is not in this bundle' in card
    printed = capsys.readouterr().out
    assert 'all engines agree with PyTorch (half_weights)' in printed
    assert 'refine  onnxruntime 2.0e-06, labels_changed 0.0e+00' in printed
    assert f'{LEFT_OUT} (2 images)' in printed


def test_whole_and_precision_without_scores(
    run: Path, tmp_path: Path, exported_precisions: list[str]
) -> None:
    options = ('--whole', '--precision', 'float16', '--no-scores')
    assert export(run, '--output', tmp_path / 'bundle', *options) == 0
    bundle = ModelBundle.read(tmp_path / 'bundle')
    assert bundle.whole_path == tmp_path / 'bundle' / 'whole.onnx'
    assert exported_precisions == ['float16'] * 3
    assert bundle.manifest.provenance['precision'] == 'float16'
    assert bundle.manifest.scores == {}
    assert 'Not scored' in (bundle.root / 'MODEL_CARD.md').read_text()


def test_what_is_asked_for_is_recommended(run: Path, tmp_path: Path) -> None:
    options = ('--selector', 'components', '--fusion', 'max')
    assert export(run, '--output', tmp_path / 'bundle', *options) == 0
    bundle = ModelBundle.read(tmp_path / 'bundle')
    recommended = bundle.manifest.recommended
    assert (recommended.selector, recommended.fusion) == ('components', 'max')
    two_stages = [row for row in bundle.manifest.scores[LEFT_OUT]['results'] if 'fusion' in row]
    assert {row['fusion'] for row in two_stages} == {'max', 'paste'}
    assert 'chosen by `components`, fusion' in (bundle.root / 'MODEL_CARD.md').read_text()


def test_learning_puts_table_and_weights_into_the_bundle(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(run, '--output', tmp_path / 'bundle', '--learn', '--no-scores') == 0
    bundle = ModelBundle.read(tmp_path / 'bundle')
    assert bundle.merge_path == tmp_path / 'bundle' / 'merge.npy'
    assert bundle.selector_path == tmp_path / 'bundle' / 'selector.yaml'
    # Learned is not yet recommended.
    assert (bundle.manifest.recommended.selector, bundle.manifest.recommended.fusion) == (
        'grid',
        'add',
    )
    count = bundle.manifest.provenance['learned']['images']
    assert f'learned from {count} held-out images; Dice in the regions of' in (
        capsys.readouterr().out
    )
    resolve_settings(bundle, PipelineConfig(fusion='learned'))
    # Exporting again without it leaves nothing of it.
    assert export(run, '--output', tmp_path / 'bundle', '--no-scores') == 0
    assert ModelBundle.read(tmp_path / 'bundle').merge_path is None
    assert not bundle.merge_path.exists()
    assert not bundle.selector_path.exists()


def test_recommending_what_is_learned_learns_it(run: Path, tmp_path: Path) -> None:
    assert export(run, '--output', tmp_path / 'bundle', '--fusion', 'learned') == 0
    bundle = ModelBundle.read(tmp_path / 'bundle')
    assert bundle.merge_path is not None
    assert bundle.manifest.recommended.fusion == 'learned'
    two_stages = [row for row in bundle.manifest.scores[LEFT_OUT]['results'] if 'fusion' in row]
    assert [row['fusion'] for row in two_stages] == ['learned'] * 3 + ['paste']


def test_nothing_held_out_is_nothing_to_learn_from(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / 'run', data, ('coarse', 'refine'))
    recipe = yaml.safe_load((run / 'recipe.yaml').read_text())
    for source in recipe['sources']:
        source.pop('dev', None)
    (run / 'recipe.yaml').write_text(yaml.safe_dump(recipe))
    assert export(run, '--output', tmp_path / 'bundle', '--learn') == 2
    message = capsys.readouterr().err
    assert 'no images are held out to learn from; leave out --learn' in message
    assert not (tmp_path / 'bundle').exists()


def test_a_missing_validation_split_is_said(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / 'moved'
    shutil.copytree(data, moved)
    shutil.rmtree(moved / 'camvid' / 'val')
    assert export(run, '--output', tmp_path / 'bundle', '--data', moved) == 0
    assert 'camvid val is not scored: camvid' in capsys.readouterr().out
    scores = ModelBundle.read(tmp_path / 'bundle').manifest.scores
    assert set(scores) == {LEFT_OUT, 'camvid held out'}


def test_whole_needs_a_trained_baseline(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / 'run', data, ('coarse', 'refine'))
    assert export(run, '--output', tmp_path / 'bundle', '--whole') == 2
    message = capsys.readouterr().err
    assert 'has no whole-frame network trained to its end; leave out --whole' in message
    assert not (tmp_path / 'bundle').exists()


def test_a_folder_that_is_no_run_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(tmp_path / 'nothing', '--output', tmp_path / 'bundle') == 2
    assert 'nothing holds no finished training run' in capsys.readouterr().err
