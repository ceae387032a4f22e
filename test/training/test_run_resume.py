"""Runs that are killed, stopped and resumed."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.tiny_training import RECIPE, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.cli import main
from stseg_ros.errors import ConfigError, DataError, StsegError
from stseg_ros.training.learner import Learner
from stseg_ros.training.run import RunRequest, train_run
from stseg_ros.training.run_plan import read_facts

pytestmark = pytest.mark.torch

# The refine network has batch normalisation; 60 steps write one line of the mean loss, at 50.
BROKEN = RECIPE.replace('steps: 100', 'steps: 60\n  ema: 0.9\n  save_every: 20').replace(
    'dev_every: 100', 'dev_every: 30'
)
# Kills its own process in the middle of step 55, after the state of step 40.
KILLED = """
import os, signal, sys
from stseg_ros.cli import main
from stseg_ros.training.learner import Learner

take_step, taken = Learner.step, []

def step(learner, *batch):
    taken.append(batch)
    if len(taken) == 55:
        os.kill(os.getpid(), signal.SIGKILL)
    return take_step(learner, *batch)

Learner.step = step
main(sys.argv[1:])
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    recipe, data = write_recipe(tmp_path, BROKEN), write_camvid(tmp_path)
    command = ['train', str(recipe), '--data', str(data), '--output', str(tmp_path / 'run')]
    return [*command, '--stage', 'refine', '--threads', '1']


def stop_at(step: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the process send itself a signal in the middle of a step."""
    take_step = Learner.step
    taken = []

    def signalled(learner: Learner, *batch: torch.Tensor) -> object:
        taken.append(batch)
        if len(taken) == step:
            signal.raise_signal(number)
        return take_step(learner, *batch)

    monkeypatch.setattr(Learner, 'step', signalled)


def weights(run: Path, name: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / name, weights_only=True)['state']
    return state


def assert_same_run(run: Path, other: Path) -> None:
    assert (run / 'log.csv').read_bytes() == (other / 'log.csv').read_bytes()
    for name in ('refine.pt', 'refine.best.pt'):
        expected = weights(other, name)
        for key, tensor in weights(run, name).items():
            assert torch.equal(tensor, expected[key]), f'{key} in {name}'


def test_a_killed_and_resumed_run_equals_an_unbroken_one(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, '-c', KILLED, *arguments]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    run = tmp_path / 'run'
    assert ',50,' in (run / 'log.csv').read_text()
    with pytest.raises(DataError, match='lists no refine'):
        read_facts(run, ('refine',))

    assert main(arguments) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert 'holds an unfinished refine network; give --resume' in message
    assert main([*arguments, '--resume']) == 0

    unbroken = tmp_path / 'unbroken'
    assert main([*arguments, '--output', str(unbroken)]) == 0
    assert_same_run(run, unbroken)
    assert read_facts(run, ('refine',))['refine']['steps'] == 60

    # Resuming what is finished changes nothing, and does not read the images again.
    before = (run / 'refine.pt').stat().st_mtime_ns
    shutil.rmtree(tmp_path / 'camvid')
    assert main([*arguments, '--resume']) == 0
    assert 'refine: trained before, kept' in capsys.readouterr().out
    assert (run / 'refine.pt').stat().st_mtime_ns == before


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_to_go_on(
    number: int,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = signal.getsignal(number)
    with monkeypatch.context() as patch:
        stop_at(7, number, patch)
        assert main([*arguments, '--steps', '12']) == 128 + number
    assert signal.getsignal(number) == handler
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-2] == 'refine: stopped and saved after 7 steps; go on with'
    command = printed[-1].split()
    assert command[:2] == ['stseg', 'train']
    assert main(command[1:]) == 0

    unbroken = tmp_path / 'unbroken'
    assert main([*arguments, '--steps', '12', '--output', str(unbroken)]) == 0
    assert_same_run(tmp_path / 'run', unbroken)


def test_a_second_interrupt_does_not_wait(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(2, signal.SIGINT, monkeypatch)
    stop_at(2, signal.SIGINT, monkeypatch)
    assert main([*arguments, '--steps', '5']) == 130
    assert 'interrupted' in capsys.readouterr().err


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRequest:
    """Stop a run after two steps, and return the request that would resume it."""
    request = {
        'recipe_path': write_recipe(tmp_path, BROKEN),
        'data_root': write_camvid(tmp_path),
        'run_dir': tmp_path / 'run',
        'stages': ('refine',),
        'threads': 1,
        'steps': 4,
    }
    with monkeypatch.context() as patch:
        stop_at(2, signal.SIGINT, patch)
        assert train_run(RunRequest(**request)).stopped_by == signal.SIGINT
    return RunRequest(**request, resume=True)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        (
            'save_every: 20\n  batch: 8',
            'save_every: 20\n  batch: 4',
            'refine.batch 8, which is now 4',
        ),
        ('grid: [2, 4]', 'grid: [4, 4]', r'geometry.grid \(2, 4\), which is now \(4, 4\)'),
        ("dev: ['held_*']", "dev: ['held_0']", r'sources\[0\].dev'),
    ],
)
def test_only_the_same_settings_are_resumed(
    old: str, new: str, message: str, stopped: RunRequest
) -> None:
    stopped.recipe_path.write_text(BROKEN.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        train_run(stopped)


def test_another_stage_may_change(stopped: RunRequest) -> None:
    stopped.recipe_path.write_text(BROKEN.replace('supervise_at: 2', 'supervise_at: 1'))
    assert train_run(stopped).trained['refine'].finished


def test_only_the_same_data_are_resumed(stopped: RunRequest, tmp_path: Path) -> None:
    for folder in ('train', 'trainannot'):
        (tmp_path / 'camvid' / folder / 'drive_3.png').unlink()
    with pytest.raises(StsegError, match='trained on other images'):
        train_run(stopped)


def test_a_broken_state_is_one_line(stopped: RunRequest, tmp_path: Path) -> None:
    (tmp_path / 'run' / 'refine.state').write_bytes(b'nothing')
    with pytest.raises(StsegError, match=r'refine\.state is no state of this training'):
        train_run(stopped)


@pytest.mark.parametrize(
    ('part', 'name', 'difference'),
    [
        ('learner', 'steps', "it has no 'steps'"),
        ('standing', 'waiting_s', "missing 1 required keyword-only argument: 'waiting_s'"),
    ],
)
def test_a_state_of_an_older_form_says_how_to_go_on(
    part: str, name: str, difference: str, stopped: RunRequest, tmp_path: Path
) -> None:
    path = tmp_path / 'run' / 'refine.state'
    content = torch.load(path, weights_only=True)
    del content[part][name]
    torch.save(content, path)
    with pytest.raises(StsegError) as caught:
        train_run(stopped)
    assert f'refine.state was written by another version of this package ({difference})' in str(
        caught.value
    )
    path.unlink()
    assert train_run(stopped).trained['refine'].finished


def test_another_file_is_no_state(stopped: RunRequest, tmp_path: Path) -> None:
    torch.save({'network': 1}, tmp_path / 'run' / 'refine.state')
    with pytest.raises(StsegError, match='is no state of this training: it holds something else'):
        train_run(stopped)


def test_another_seed_is_refused(stopped: RunRequest) -> None:
    with pytest.raises(StsegError, match='with --seed 0, not 5'):
        train_run(dataclasses.replace(stopped, seed=5))
