from __future__ import annotations

import csv
import dataclasses
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.tiny_training import RECIPE, WHOLE, alone, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.held_out import frame_logits
from stseg_ros.training.learner import Learner, learning_rate_share
from stseg_ros.training.recipe import load_recipe
from stseg_ros.training.run import RunRequest, train_run
from stseg_ros.training.run_files import load_checkpoint
from stseg_ros.training.run_plan import read_facts

pytestmark = pytest.mark.torch


def test_training_learns_to_find_red_blocks_and_leaves_a_whole_run(tmp_path: Path) -> None:
    run_dir = tmp_path / 'run'
    results = train_run(
        RunRequest(
            recipe_path=write_recipe(tmp_path),
            data_root=write_camvid(tmp_path),
            run_dir=run_dir,
            threads=1,
        )
    ).trained
    # Before training either network scores about the blocks' share of pixels, 0.13 to 0.25.
    assert results['coarse'].dev_dice > 0.6
    assert results['refine'].dev_dice > 0.6
    assert load_recipe(run_dir / 'recipe.yaml').name == 'tiny'
    with (run_dir / 'log.csv').open() as stream:
        rows = list(csv.DictReader(stream))
    dev_rows = [(row['stage'], row['step']) for row in rows if row['dev_dice']]
    assert dev_rows == [('coarse', '30'), ('coarse', '60'), ('refine', '100')]
    assert [row['step'] for row in rows if row['loss']] == ['50', '50', '100']
    assert cv2.imread(str(run_dir / 'preview_refine.png')).shape == (256, 1024, 3)
    facts = read_facts(run_dir, ('coarse', 'refine'))
    assert facts['refine']['images'] == {'camvid': 6}
    assert facts['refine']['held_out_images'] == {'camvid': 2}
    assert 0.0 <= facts['refine']['waiting_for_data'] < 1.0
    assert facts['environment_coarse']['torch'] == torch.__version__
    # Three panels side by side.
    assert cv2.imread(str(run_dir / 'curves.png')).shape == (340, 1200, 3)
    assert not list(run_dir.glob('*.state*'))

    model, facts = load_checkpoint(run_dir / 'coarse.pt')
    assert facts['step'] == 60
    assert facts['dev_dice'] == pytest.approx(results['coarse'].dev_dice)
    assert not model.training


def test_same_seed_same_weights(tmp_path: Path) -> None:
    recipe_path, data_root = write_recipe(tmp_path), write_camvid(tmp_path)
    states = []
    for name, seed in (('a', 3), ('b', 3), ('c', 4)):
        train_run(
            RunRequest(
                recipe_path=recipe_path,
                data_root=data_root,
                run_dir=tmp_path / name,
                stages=('coarse',),
                steps=4,
                seed=seed,
                threads=1,
            )
        )
        states.append(load_checkpoint(tmp_path / name / 'coarse.pt')[0].state_dict())
    weights = 'network.down.1.conv.weight'
    assert torch.equal(states[0][weights], states[1][weights])
    assert not torch.equal(states[0][weights], states[2][weights])


def test_learning_rate_rises_then_falls_to_zero(tmp_path: Path) -> None:
    config = load_recipe(write_recipe(tmp_path)).coarse
    shares = [learning_rate_share(step, config) for step in range(config.steps + 1)]
    assert shares[0] == pytest.approx(0.2)
    assert shares[4] == shares[5] == 1.0
    # Half-way between the end of warm-up (5) and the last step (60) the cosine is at its middle.
    assert (shares[32] + shares[33]) / 2 == pytest.approx(0.5, abs=1e-3)
    assert shares[-1] == pytest.approx(0.0)
    assert all(before >= after for before, after in itertools.pairwise(shares[5:]))


def test_a_loss_that_is_not_finite_leaves_the_weights_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    learner = Learner(load_recipe(write_recipe(tmp_path)).coarse, alone())
    with torch.no_grad():
        learner.model.network.head.bias.fill_(float('nan'))
    before = learner.model.network.down[0].conv.weight.clone()
    taken = learner.step(
        torch.zeros(2, 16, 32, 3, dtype=torch.uint8), torch.zeros(2, 32, 64, dtype=torch.uint8)
    )
    assert np.isnan(taken.loss)
    assert torch.equal(learner.model.network.down[0].conv.weight, before)


def test_frame_logits_puts_every_region_in_its_place(tmp_path: Path) -> None:
    class Red(ImageNetwork):
        def forward(self, image_nhwc: torch.Tensor) -> torch.Tensor:
            return image_nhwc[..., 0].float()

    recipe = load_recipe(write_recipe(tmp_path))
    image_hwc = np.random.default_rng(0).integers(0, 256, (128, 256, 3), dtype=np.uint8)
    refined = frame_logits(Red(torch.nn.Identity()), image_hwc, recipe, 'refine')
    assert np.array_equal(refined, image_hwc[..., 0])
    grey_hwc = np.full((96, 128, 3), 77, np.uint8)
    coarse = frame_logits(Red(torch.nn.Identity()), grey_hwc, recipe, 'coarse')
    assert coarse.shape == (128, 256)
    assert np.allclose(coarse, 77)


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(StsegError, match=r'coarse\.pt is not there'):
        load_checkpoint(tmp_path / 'coarse.pt')
    (tmp_path / 'coarse.pt').write_bytes(b'not a checkpoint')
    with pytest.raises(StsegError, match='no checkpoint of this trainer'):
        load_checkpoint(tmp_path / 'coarse.pt')
    with pytest.raises(StsegError, match='no finished training run'):
        read_facts(tmp_path)
    with pytest.raises(ConfigError, match='--steps is 0'):
        train_run(
            RunRequest(
                recipe_path=write_recipe(tmp_path),
                data_root=tmp_path,
                run_dir=tmp_path / 'run',
                steps=0,
            )
        )


def test_a_network_on_whole_frames_learns_from_crops_with_averaged_weights(tmp_path: Path) -> None:
    result = train_run(
        RunRequest(
            recipe_path=write_recipe(tmp_path, RECIPE + WHOLE),
            data_root=write_camvid(tmp_path),
            run_dir=tmp_path / 'run',
            stages=('whole',),
            threads=1,
            device='cpu',
        )
    ).trained['whole']
    assert result.dev_dice > 0.6
    assert result.checkpoint_path == tmp_path / 'run' / 'whole.best.pt'
    _, last = load_checkpoint(tmp_path / 'run' / 'whole.pt')
    _, best = load_checkpoint(tmp_path / 'run' / 'whole.best.pt')
    assert last['step'] == 60
    assert best['dev_dice'] == result.dev_dice >= last['dev_dice']


def test_refining_may_start_from_the_coarse_network(tmp_path: Path) -> None:
    text = RECIPE.replace('norm: batch}', 'norm: none}\n  start_from: coarse')
    request = RunRequest(
        recipe_path=write_recipe(tmp_path, text),
        data_root=write_camvid(tmp_path),
        run_dir=tmp_path / 'run',
        stages=('refine',),
        steps=1,
        threads=1,
    )
    with pytest.raises(StsegError, match=r'coarse\.pt is not there; train that stage first'):
        train_run(request)
    train_run(dataclasses.replace(request, run_dir=tmp_path / 'both', stages=()))
    coarse, refine = (
        load_checkpoint(tmp_path / 'both' / f'{stage}.pt')[0].state_dict()
        for stage in ('coarse', 'refine')
    )
    # One step of Adam moves no weight further than the first rate of the warm-up, 2e-3.
    name = 'network.down.4.conv.weight'
    assert 0 < (refine[name] - coarse[name]).abs().max() < 2.2e-3
