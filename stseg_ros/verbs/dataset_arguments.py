"""The arguments of verbs that read labelled images."""

from __future__ import annotations

import argparse
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.errors import ConfigError, DataError
from stseg_ros.verbs.folder_arguments import add_folder_arguments, folder_files

if TYPE_CHECKING:
    from stseg_ros.measure.labelled_sets import LabelledSet

_SYNTHETIC = 'synthetic'
_DATASETS = ('camvid', 'kitti', 'bdd100k', 'folders', _SYNTHETIC)
_DISK_ARGUMENTS = ('data', 'only', 'split')


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the data set and the images to take of it.

    Args:
        parser: the verb's parser.
    """
    data = parser.add_argument_group('images')
    data.add_argument('--dataset', choices=_DATASETS, required=True)
    data.add_argument(
        '--data', type=Path, metavar='DIR', help="the data set's folder, or the one that holds it"
    )
    data.add_argument('--split', help="default: 'val' where the data set has one")
    data.add_argument('--only', metavar='PATTERN', help="only images of such names: '0006R0*'")
    data.add_argument(
        '--scenes', type=int, default=50, metavar='N', help='synthetic scenes (default: 50)'
    )
    add_folder_arguments(parser)


def find_images(arguments: argparse.Namespace) -> tuple[LabelledSet, str]:
    """List the images asked for.

    Args:
        arguments: what `add_dataset_arguments` declared.

    Returns:
        At least one image, and the name of their split; empty where there are no splits.

    Raises:
        ConfigError: the arguments do not go together.
        DataError: the data set is missing or incomplete, or no image has such a name.
    """
    _check(arguments)
    files = folder_files(arguments, arguments.dataset)
    from stseg_ros.measure.labelled_sets import ImagesOnDisk, SyntheticScenes

    if arguments.dataset == _SYNTHETIC:
        return SyntheticScenes(arguments.scenes), ''
    from stseg_ros.datasets.vehicle_datasets import DATASETS, find_samples

    splits = list(DATASETS[arguments.dataset].splits)
    split = arguments.split or ('val' if 'val' in splits else splits[0])
    below = arguments.data / arguments.dataset
    root = below if below.is_dir() else arguments.data
    samples = find_samples(arguments.dataset, root, split, files)
    pattern = arguments.only
    chosen = [sample for sample in samples if pattern is None or fnmatchcase(sample.name, pattern)]
    if not chosen:
        raise DataError(
            f'none of the {len(samples)} images of {arguments.dataset} {split} is named '
            f"'{pattern}'; the first is '{samples[0].name}'"
        )
    return ImagesOnDisk(chosen), split


def _check(arguments: argparse.Namespace) -> None:
    if arguments.scenes < 1:
        raise ConfigError(f'--scenes is {arguments.scenes}; give 1 or more')
    if arguments.dataset != _SYNTHETIC and arguments.data is None:
        raise ConfigError(f'--data is missing; give the folder of {arguments.dataset}')
    given = [name for name in _DISK_ARGUMENTS if getattr(arguments, name) is not None]
    if arguments.dataset == _SYNTHETIC and given:
        raise ConfigError(f'--{given[0]} is not for --dataset {_SYNTHETIC}; leave it out')
