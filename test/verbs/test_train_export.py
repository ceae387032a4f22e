"""From images on disk to a bundle that segments, by the commands a user types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.tiny_training import red_block_image, write_camvid, write_recipe

pytest.importorskip('torch')

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
    assert 'camvid/train is not there' in message
