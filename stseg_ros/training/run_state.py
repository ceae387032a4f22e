"""The state of an unfinished stage, from which training goes on as if it had never stopped."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from stseg_ros.errors import StsegError
from stseg_ros.training.images import LabelledImage
from stseg_ros.training.learner import Learner
from stseg_ros.training.run_files import NOT_OURS

_PARTS = {'standing', 'learner', 'random'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a stage has come.

    Attributes:
        seed: of the run.
        images: fingerprint of the data, see `fingerprint`.
        step: steps taken.
        dev_dice: last held-out score; not a number before the first.
        best_dice: best held-out score; not a number before the first.
        seconds: time spent.
        waiting_s: part of it that was spent waiting for batches.
        log_bytes: length of the log file.
        log_losses: losses since the log's last line.
        log_mean_loss: that line's mean loss.
    """

    seed: int
    images: str
    step: int
    dev_dice: float
    best_dice: float
    seconds: float
    waiting_s: float
    log_bytes: int
    log_losses: list[float]
    log_mean_loss: float


def state_path(run_dir: Path, stage: str) -> Path:
    """Name the file that holds an unfinished stage.

    Args:
        run_dir: folder of the run.
        stage: one of the recipe's stages.

    Returns:
        The file; there is none before the first `save_every` steps and after the last step.
    """
    return run_dir / f'{stage}.state'


def save_state(path: Path, learner: Learner, standing: Standing) -> None:
    """Write the state, whole or not at all.

    Args:
        path: the file.
        learner: network, optimiser and schedule.
        standing: how far it has come.
    """
    content: dict[str, Any] = {
        'standing': asdict(standing),
        'learner': learner.state_dict(),
        'random': torch.get_rng_state(),
    }
    part = path.with_suffix('.state.part')
    with part.open('wb') as stream:
        torch.save(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def load_state(path: Path, learner: Learner, *, seed: int, images: str) -> Standing:
    """Bring a learner to where the run was.

    Args:
        path: the file.
        learner: of the same settings; changed.
        seed: must be the run's.
        images: fingerprint of the data, which must be the run's.

    Returns:
        How far it had come.

    Raises:
        StsegError: the file is not ours or of another version, or seed or data differ.
    """
    try:
        content: Any = torch.load(path, map_location='cpu', weights_only=True)
    except NOT_OURS as err:
        reason = str(err).splitlines()[0]
        raise StsegError(f'{path} is no state of this training: {reason}') from err
    if not isinstance(content, dict) or not content.keys() >= _PARTS:
        raise StsegError(f'{path} is no state of this training: it holds something else')
    try:
        standing = Standing(**content['standing'])
        learner.load_state_dict(content['learner'])
        torch.set_rng_state(content['random'])
    except (KeyError, TypeError) as err:
        raise StsegError(
            f'{path} was written by another version of this package ({_mismatch(err)}); finish '
            'the training with that version, or remove the file to train this network again'
        ) from err
    except NOT_OURS as err:
        reason = str(err).splitlines()[0]
        raise StsegError(f'{path} is no state of this training: {reason}') from err
    if standing.seed != seed:
        raise StsegError(f'{path} was trained with --seed {standing.seed}, not {seed}; give that')
    if standing.images != images:
        raise StsegError(
            f'{path} was trained on other images than those found now; bring the data back as it '
            'was, or start again with another --output'
        )
    return standing


def _mismatch(err: KeyError | TypeError) -> str:
    """Say what a state of another form lacks or has too much."""
    if isinstance(err, KeyError):
        return f'it has no {err.args[0]!r}'
    return str(err).splitlines()[0].rpartition('() ')[2]


def fingerprint(images: list[LabelledImage]) -> str:
    """Tell two sets of images apart by their names and sizes.

    Args:
        images: in order.

    Returns:
        Hexadecimal digits.
    """
    names = [f'{image.dataset} {image.name} {image.image_hwc.shape}' for image in images]
    return hashlib.sha256('\n'.join(names).encode()).hexdigest()[:16]
