"""`stseg train`: train the networks of a recipe."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stseg_ros.training.run import RunResult

SUMMARY = 'train the networks of a recipe'
EXAMPLES = """\
  stseg train config/train/driving_small.yaml --data ~/data --output runs/driving
  stseg train config/train/driving_small.yaml --data ~/data --output runs/driving --resume
  stseg train config/train/driving_small.yaml --data ~/data --output runs/driving --stage refine
  stseg train config/train/driving_features.yaml --data ~/data --output runs/features
                                                     (stage 2 sees features of stage 1)
  python -m stseg_ros.cli train RECIPE --data DIR --output RUN --steps 100     (a quick trial)
  torchrun --nproc-per-node 4 -m stseg_ros.cli train RECIPE --data DIR --output RUN   (4 GPUs)"""

_SIGNAL_STATUS = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument('recipe', type=Path, help='YAML file of the run; see config/train/')
    parser.add_argument(
        '--data',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder with one folder per data set: camvid, kitti, bdd100k',
    )
    parser.add_argument(
        '--output', type=Path, required=True, metavar='RUN', help='folder for weights and logs'
    )
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on where RUN was stopped or killed; the result is the same as without the break',
    )
    parser.add_argument(
        '--stage',
        nargs='+',
        choices=('coarse', 'refine', 'whole'),
        default=[],
        help="train these networks only (default: all of the recipe's)",
    )
    parser.add_argument('--steps', type=int, help="optimiser steps, instead of the recipe's")
    parser.add_argument('--seed', type=int, default=0, help='of weights and batches (default: 0)')
    parser.add_argument(
        '--device',
        choices=('auto', 'cpu', 'cuda'),
        default='auto',
        help='where to train (default: auto, the GPU where there is one)',
    )
    parser.add_argument(
        '--threads', type=int, default=0, help='CPU threads of PyTorch (default: its own choice)'
    )
    parser.add_argument(
        '--tensorboard', action='store_true', help='log to RUN/tensorboard beside RUN/log.csv'
    )


def run(args: argparse.Namespace) -> int:
    """Train, and say where the weights are.

    Args:
        args: the parsed command line.

    Returns:
        0, or 128 and the signal's number where one ended the training early: 130 for Ctrl-C.

    Raises:
        StsegError: PyTorch is missing, or the recipe or the data are wrong.
    """
    from stseg_ros.training.requirements import require_tensorboard, require_training_libraries

    require_training_libraries()
    if args.tensorboard:
        require_tensorboard()
    from stseg_ros.training.run import RunRequest, train_run

    result = train_run(
        RunRequest(
            recipe_path=args.recipe,
            data_root=args.data,
            run_dir=args.output,
            stages=tuple(args.stage),
            steps=args.steps,
            seed=args.seed,
            threads=args.threads,
            device=args.device,
            resume=args.resume,
            tensorboard=args.tensorboard,
        )
    )
    if result.first:
        _report(result, args)
    return _SIGNAL_STATUS + result.stopped_by if result.stopped_by else 0


def _report(result: RunResult, args: argparse.Namespace) -> None:
    for name in result.finished_before:
        print(f'{name}: trained before, kept')
    for name, trained in result.trained.items():
        if not trained.finished:
            print(f'{name}: stopped and saved after {trained.step} steps; go on with')
            print(f'  {_resume_command(args)}')
            return
        print(
            f'{name}: held-out Dice {trained.dev_dice:.3f}, weights in {trained.checkpoint_path}, '
            f'{trained.waiting_share:.1%} of {trained.seconds:.0f} s spent waiting for data'
        )
    print(f'next: stseg export {args.output} --output models/my_bundle')


def _resume_command(args: argparse.Namespace) -> str:
    command = ['stseg', 'train', args.output / 'recipe.yaml', '--data', args.data]
    command += ['--output', args.output, '--resume']
    command += ['--seed', args.seed] if args.seed else []
    command += ['--stage', *args.stage] if args.stage else []
    command += ['--threads', args.threads] if args.threads else []
    return shlex.join(str(word) for word in command)
