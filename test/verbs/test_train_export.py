"""From images on disk to a bundle that segments, by the commands a user types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.tiny_training import RECIPE, red_block_image, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.cli import main
from stseg_ros.config import PipelineConfig
from stseg_ros.records import ChannelOrder, Frame

pytestmark = [pytest.mark.torch, pytest.mark.slow]


def test_train_then_export_then_segment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, data = write_recipe(tmp_path), write_camvid(tmp_path)
    run, bundle_dir = tmp_path / 'run', tmp_path / 'bundle'
    train = ['train', str(recipe), '--data', str(data), '--output', str(run), '--threads', '1']
    assert main([*train, '--stage', 'coarse']) == 0
    assert main([*train, '--stage', 'refine']) == 0
    assert main(['export', str(run), '--output', str(bundle_dir)]) == 0
    printed = capsys.readouterr().out
    assert 'camvid val (2 images)' in printed

    bundle = ModelBundle.read(bundle_dir)
    assert bundle.name == 'tiny'
    assert bundle.manifest.recommended.regions == 2
    assert bundle.manifest.provenance['networks']['refine']['steps'] == 100
    assert set(bundle.manifest.scores) == {'camvid val', 'camvid held out'}

    image_bgr, label_hw = red_block_image(np.random.default_rng(99))
    frame = Frame(image_hwc=image_bgr, channel_order=ChannelOrder.BGR)
    mask_hw = open_segmenter(bundle, PipelineConfig()).segment(frame).mask_hw
    agreement = (mask_hw > 0) == (label_hw == 8)
    assert agreement.mean() > 0.95

    card = (bundle_dir / 'MODEL_CARD.md').read_text()
    dice = bundle.manifest.scores['camvid val']['results'][0]['dice']
    assert f'| coarse | 0 | {dice:.3f} |' in card
    assert '- camvid: 6 images, share 1' in card
    assert 'non-commercial' in card.lower()


def test_export_needs_both_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, data = write_recipe(tmp_path), write_camvid(tmp_path)
    run = tmp_path / 'run'
    train = ['train', str(recipe), '--data', str(data), '--output', str(run)]
    assert main([*train, '--stage', 'coarse', '--steps', '2', '--threads', '1']) == 0
    assert main(['export', str(run), '--output', str(tmp_path / 'bundle')]) == 2
    assert 'refine.pt is not there' in capsys.readouterr().err


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    status = main(['train', str(recipe), '--data', str(tmp_path), '--output', str(tmp_path / 'r')])
    assert status == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith('stseg train: ')
    assert 'camvid is no folder' in message


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--stage', 'whole'], "recipe tiny has no stage 'whole'"),
        (['--steps', '0'], '--steps is 0'),
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ['train', str(write_recipe(tmp_path)), '--data', str(tmp_path)]
    assert main([*train, '--output', str(tmp_path / 'run'), *arguments]) == 2
    shown = capsys.readouterr().err.strip().splitlines()
    assert len(shown) == 1
    assert message in shown[0]
    assert not (tmp_path / 'run').exists()


def test_epochs_are_counted_in_training_images(tmp_path: Path) -> None:
    from stseg_ros.training.run_plan import read_facts

    text = RECIPE.replace('steps: 60', 'epochs: 3').replace('batch: 8', 'batch: 4')
    recipe, data, run = write_recipe(tmp_path, text), write_camvid(tmp_path), tmp_path / 'run'
    train = ['train', str(recipe), '--data', str(data), '--output', str(run), '--threads', '1']
    assert main([*train, '--stage', 'coarse']) == 0
    # Six images in batches of four take two steps.
    assert read_facts(run, ('coarse',))['coarse']['steps'] == 6
