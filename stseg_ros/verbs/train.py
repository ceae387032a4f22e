"""`stseg train`: train the networks of a recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = 'train the coarse and the refine network of a recipe'
EXAMPLES = """\
  stseg train config/train/driving_small.yaml --data ~/data --output runs/driving
  stseg train config/train/driving_small.yaml --data ~/data --output runs/driving --stage refine
  python -m stseg_ros.cli train RECIPE --data DIR --output RUN --steps 100     (a quick trial)"""


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
    parser.add_argument('--stage', choices=('coarse', 'refine'), help='train this network only')
    parser.add_argument('--steps', type=int, help="optimiser steps, instead of the recipe's")
    parser.add_argument('--seed', type=int, default=0, help='of weights and batches (default: 0)')
    parser.add_argument(
        '--threads', type=int, default=0, help='CPU threads of PyTorch (default: its own choice)'
    )


def run(args: argparse.Namespace) -> int:
    """Train, and say where the weights are.

    Args:
        args: the parsed command line.

    Returns:
        0.

    Raises:
        StsegError: PyTorch is missing, or the recipe or the data are wrong.
    """
    from stseg_ros.training.requirements import require_training_libraries

    require_training_libraries()
    from stseg_ros.training.run import RunRequest, train_run

    for name, trained in train_run(
        RunRequest(
            recipe_path=args.recipe,
            data_root=args.data,
            run_dir=args.output,
            stages=(args.stage,) if args.stage else ('coarse', 'refine'),
            steps=args.steps,
            seed=args.seed,
            threads=args.threads,
        )
    ).items():
        print(
            f'{name}: held-out Dice {trained.dev_dice:.3f}, weights in {trained.checkpoint_path}'
        )
    print(f'next: stseg export {args.output} --output models/my_bundle')
    return 0
