"""Several processes train as one would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.tiny_training import RECIPE, alone, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.cli import main
from stseg_ros.errors import ConfigError
from stseg_ros.training import arithmetic
from stseg_ros.training.batches import StepBatches
from stseg_ros.training.images import load_images
from stseg_ros.training.processes import Processes
from stseg_ros.training.recipe import load_recipe

pytestmark = pytest.mark.torch

# In float32, where the order of sums hardly shows: the weights differ by 5e-6.
PRECISE = """
import sys
from stseg_ros.cli import main
from stseg_ros.training import arithmetic

arithmetic.has_fast_bfloat16 = lambda: False
sys.exit(main(sys.argv[1:]))
"""


def test_two_processes_train_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / 'precise.py'
    script.write_text(PRECISE)
    recipe = write_recipe(tmp_path, RECIPE.replace('dev_every: 30', 'dev_every: 50\n  ema: 0.5'))
    arguments = ['train', str(recipe), '--data', str(write_camvid(tmp_path))]
    arguments += ['--stage', 'coarse', '--steps', '50', '--threads', '1', '--output']
    # A free port of its own, and no other machine.
    torchrun = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
    subprocess.run(
        [sys.executable, *torchrun, str(script), *arguments, str(tmp_path / 'two')],
        check=True,
        env=os.environ | {'GLOO_SOCKET_IFNAME': 'lo', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
    )
    monkeypatch.setattr(arithmetic, 'has_fast_bfloat16', lambda: False)
    assert main([*arguments, str(tmp_path / 'one')]) == 0
    runs = [tmp_path / 'one', tmp_path / 'two']
    one, two = (torch.load(run / 'coarse.pt', weights_only=True)['state'] for run in runs)
    assert load_recipe(recipe).coarse.network.norm == 'none'
    for key, expected in one.items():
        assert torch.allclose(two[key], expected, atol=1e-4, rtol=0.0), key
    # One header, one mean loss, one score: only the first process writes.
    logs = [(run / 'log.csv').read_text().splitlines() for run in runs]
    assert [len(log) for log in logs] == [3, 3]
    losses = [float(log[1].split(',')[2]) for log in logs]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_shares_make_up_the_batch(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path))
    images = load_images(recipe, write_camvid(tmp_path), held_out=False)
    settings = {'images': images, 'recipe': recipe, 'stage': 'refine', 'seed': 3}
    whole, labels = StepBatches(**settings).draw(5)
    for rank in range(4):
        share, share_labels = StepBatches(**settings, rank=rank, processes=4).draw(5)
        assert torch.equal(share, whole[rank::4])
        assert torch.equal(share_labels, labels[rank::4])


def test_a_batch_must_divide() -> None:
    three = Processes(rank=1, count=3, arithmetic=alone().arithmetic)
    three.check_batch(9)
    with pytest.raises(ConfigError, match='batch of 8 images cannot be shared evenly by 3'):
        three.check_batch(8)
    assert not three.first
