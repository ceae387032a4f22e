from __future__ import annotations

import csv
import sys
import types
from pathlib import Path

import cv2
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.errors import StsegError
from stseg_ros.training import requirements
from stseg_ros.training.curves import draw_curves
from stseg_ros.training.learner import StepTaken
from stseg_ros.training.run_log import RunLog

pytestmark = pytest.mark.torch


def take_steps(log: RunLog, first: int, last: int) -> None:
    for step in range(first, last + 1):
        log.add_step(step, StepTaken(loss=float(step), learning_rate=1e-3, gradient_norm=0.5))


def test_lines_are_means_of_fifty_steps_and_going_back_drops_later_ones(tmp_path: Path) -> None:
    log = RunLog(tmp_path, 'coarse')
    take_steps(log, 1, 70)
    log.add_dev(70, 0.25)
    position, losses = log.path.stat().st_size, list(log.losses)
    assert losses == [float(step) for step in range(51, 71)]
    assert log.mean_loss == 25.5
    take_steps(log, 71, 130)

    again = RunLog(tmp_path, 'coarse')
    again.go_back(position, losses, 25.5)
    take_steps(again, 71, 100)
    with (tmp_path / 'log.csv').open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row['step'], row['loss'], row['dev_dice']) for row in rows] == [
        ('50', '25.5', ''),
        ('70', '', '0.25'),
        ('100', '75.5', ''),
    ]
    (tmp_path / 'log.csv').write_text('')
    with pytest.raises(StsegError, match='shorter than when the state was saved'):
        again.go_back(position, losses, 25.5)


def test_curves_are_drawn_from_the_log(tmp_path: Path) -> None:
    log = RunLog(tmp_path, 'coarse')
    draw_curves(tmp_path)
    assert not (tmp_path / 'curves.png').exists()
    take_steps(log, 1, 100)
    log.add_dev(100, 0.5)
    draw_curves(tmp_path)
    picture_bgr = cv2.imread(str(tmp_path / 'curves.png'))
    # The coarse network's curves are blue.
    assert (abs(picture_bgr.astype(int) - (0xEF, 0x8D, 0x5B)).max(axis=2) < 8).sum() > 100


def test_tensorboard_gets_the_same_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path / 'tensorboard' / 'refine')

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def flush(self) -> None:
            pass

    module = types.ModuleType('torch.utils.tensorboard')
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', module)
    log = RunLog(tmp_path, 'refine', tensorboard=True)
    take_steps(log, 1, 50)
    log.add_dev(50, 0.75)
    assert written == [
        ('refine/loss', 25.5, 50),
        ('refine/learning_rate', 1e-3, 50),
        ('refine/gradient_norm', 0.5, 50),
        ('refine/dev_dice', 0.75, 50),
    ]


def test_tensorboard_is_asked_for_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, 'find_spec', lambda _: None)
    with pytest.raises(StsegError, match='pip install tensorboard'):
        requirements.require_tensorboard()
