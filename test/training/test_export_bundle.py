from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from support.hand_made_run import NETWORK, STAGES, quiet_network, write_run

from stseg_ros.bundle import ModelBundle
from stseg_ros.errors import DataError, StsegError
from stseg_ros.training import export_bundle
from stseg_ros.training.export_bundle import drop_whole, export_run, has_whole
from stseg_ros.training.export_parity import NetworkParity
from stseg_ros.training.run_files import build_model, save_checkpoint

pytestmark = pytest.mark.torch


def images() -> list[np.ndarray]:
    return [np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)]


def hand_made(root: Path, stages: tuple[str, ...] = STAGES, more: str = '') -> Path:
    return write_run(root / 'run', root, stages, more=more)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    root = tmp_path_factory.mktemp('whole')
    return export_run(hand_made(root), root / 'models' / 'bundle', images(), precision='float16')


def copy_networks(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the networks of a bundle instead of exporting others, which takes long."""

    def copy(_: object, path: Path, *__: object, **___: object) -> None:
        path.write_bytes((bundle.root / path.name).read_bytes())

    fine = NetworkParity(largest_difference={'onnxruntime': 0.0}, labels_changed=0.0)
    monkeypatch.setattr(export_bundle, 'export_network', copy)
    monkeypatch.setattr(export_bundle, 'check_parity', lambda *_: fine)


def test_bundle_has_what_was_trained(bundle: ModelBundle) -> None:
    names = sorted(path.name for path in bundle.root.iterdir())
    assert names == ['bundle.yaml', 'coarse.onnx', 'refine.onnx', 'whole.onnx']
    assert sorted(path.name for path in bundle.root.parent.iterdir()) == ['bundle']
    assert (bundle.name, bundle.manifest.recommended.fusion) == ('hand_made', 'add')


def test_provenance_says_what_was_trained_how_and_on_what(bundle: ModelBundle) -> None:
    provenance = bundle.manifest.provenance
    assert (provenance['precision'], provenance['weights']) == ('float16', 'last')
    assert provenance['sources'] == [
        {
            'dataset': 'camvid',
            'name': 'camvid',
            'images': 5,
            'held_out': 2,
            'left_out': 'drive_0, drive_1',
            'weight': 1.0,
        }
    ]
    coarse, whole = (provenance['networks'][stage] for stage in ('coarse', 'whole'))
    assert (coarse['architecture'], coarse['width'], coarse['ema']) == ('residual_fpn', 8, 0.99)
    assert (coarse['seed'], coarse['steps'], coarse['exported_step']) == (3, 9, 7)
    assert (coarse['commit'], coarse['minutes']) == ('c0ffee', 1.5)
    parameters = sum(weight.numel() for weight in quiet_network(0).parameters())
    assert coarse['parameters'] == whole['parameters'] == parameters
    # The same network on 8 x 8 times the pixels; all of its layers but one go with them.
    context = 32 * 32
    assert whole['macs'] - context == 64 * (coarse['macs'] - context)
    assert provenance['parity_bounds'] == {'probability': 0.02, 'labels_changed': 0.001}
    assert set(provenance['parity']) == set(STAGES)


def test_nothing_of_the_machine_is_in_it(bundle: ModelBundle) -> None:
    text = (bundle.root / 'bundle.yaml').read_text()
    assert 'secret' not in text
    assert str(Path.home()) not in text
    assert str(bundle.root.parent) not in text


def test_the_baseline_can_be_taken_out(bundle: ModelBundle, tmp_path: Path) -> None:
    copy = tmp_path / 'bundle'
    copy.mkdir()
    for path in bundle.root.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    smaller = drop_whole(ModelBundle.read(copy))
    assert smaller.whole_path is None
    assert not (copy / 'whole.onnx').exists()
    assert smaller.manifest.provenance == bundle.manifest.provenance


def test_a_failed_export_leaves_the_bundle_alone(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NetworkParity:
        raise StsegError('too far from PyTorch')

    before = {path.name: path.read_bytes() for path in bundle.root.iterdir()}
    copy_networks(bundle, monkeypatch)
    monkeypatch.setattr(export_bundle, 'check_parity', refuse)
    with pytest.raises(StsegError, match='too far'):
        export_run(hand_made(tmp_path), bundle.root, images())
    assert {path.name: path.read_bytes() for path in bundle.root.iterdir()} == before
    assert sorted(path.name for path in bundle.root.parent.iterdir()) == ['bundle']


def test_an_unfinished_baseline_is_left_out(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = hand_made(tmp_path, ('coarse', 'refine'))
    assert not has_whole(run)
    copy_networks(bundle, monkeypatch)
    # That of an earlier export must not stay beside the new networks.
    target = tmp_path / 'bundle'
    target.mkdir()
    (target / 'whole.onnx').write_bytes(b'old')
    assert export_run(run, target, images()).whole_path is None
    assert not (target / 'whole.onnx').exists()


def test_an_unfinished_stage_is_named(tmp_path: Path) -> None:
    run = hand_made(tmp_path)
    facts = (run / 'run.yaml').read_text()
    (run / 'run.yaml').write_text(facts.replace('\nrefine:', '\nother:'))
    with pytest.raises(DataError, match='refine'):
        export_run(run, tmp_path / 'bundle', images())


def test_a_network_without_the_prior_it_should_have_is_refused(tmp_path: Path) -> None:
    run = hand_made(tmp_path, more=', prior: true')
    with pytest.raises(StsegError, match=r'takes 3 channels, geometry.prior asks for 4'):
        export_run(run, tmp_path / 'bundle', images())


def test_a_coarse_network_without_the_features_it_should_give_is_refused(tmp_path: Path) -> None:
    run = hand_made(tmp_path, more=', prior: true, prior_features: 1')
    for name in ('coarse.features.pt', 'refine.pt'):
        inputs = 5 if name == 'refine.pt' else 3
        model = build_model(NETWORK, inputs=inputs).eval()
        save_checkpoint(run / name, model, NETWORK, stage='', step=7, dev_dice=0.5)
    message = r'the coarse network gives 0 features, geometry.prior_features asks for 1'
    with pytest.raises(StsegError, match=message):
        export_run(run, tmp_path / 'bundle', images())
