"""The arguments that say where plain folders have their images and masks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stseg_ros.errors import ConfigError

if TYPE_CHECKING:
    from stseg_ros.datasets.vehicle_datasets import FolderFiles

_FOLDERS = 'folders'


def add_folder_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them.

    Args:
        parser: the parser of a verb or action that also has `--dataset`.
    """
    group = parser.add_argument_group('places and mask values of --dataset folders')
    group.add_argument(
        '--images', metavar='PATTERN', help="folder or pattern, such as '*/rgb/*.jpg' (images)"
    )
    group.add_argument(
        '--masks', metavar='PATTERN', help="folder or pattern, such as '*/gt/*_mask.png' (masks)"
    )
    group.add_argument('--vehicle-ids', metavar='I,I', help='mask values of vehicles (all but 0)')
    group.add_argument('--ignore-ids', metavar='I,I', help='mask values that do not count (none)')
    group.add_argument(
        '--scene-pattern',
        metavar='REGEX',
        help="finds the scene in an image's name, such as '^[^-]+' (its sub-folder)",
    )


def folder_files(arguments: argparse.Namespace, dataset: str | None) -> FolderFiles | None:
    """Return what the arguments say.

    Args:
        arguments: what `add_folder_arguments` declared.
        dataset: the data set in question; None for any.

    Returns:
        Where the files are; None where nothing was given.

    Raises:
        ConfigError: they are given for another data set, or a value is wrong.
    """
    from stseg_ros.datasets.vehicle_datasets import FolderFiles

    given: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in ('images', 'masks', 'vehicle_ids', 'ignore_ids', 'scene_pattern')
        if getattr(arguments, name) is not None
    }
    if not given:
        return None
    if dataset != _FOLDERS:
        option = f'--{next(iter(given)).replace("_", "-")}'
        raise ConfigError(f'{option} is for --dataset {_FOLDERS}; add that, or leave it out')
    for name in ('vehicle_ids', 'ignore_ids'):
        if name in given:
            given[name] = _whole_numbers(given[name], f'--{name.replace("_", "-")}')
    return FolderFiles(**given)


def _whole_numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(','))
    except ValueError as error:
        raise ConfigError(f"{option} is '{text}'; give whole numbers, such as 4,8") from error
