"""`stseg data`: look at data sets before training on them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.errors import ConfigError, DataError
from stseg_ros.verbs.folder_arguments import add_folder_arguments, folder_files

if TYPE_CHECKING:
    from stseg_ros.datasets.dataset_check import SplitCheck

SUMMARY = 'Look at data sets before training on them.'
EXAMPLES = """
stseg data check ~/data/kitti
stseg data check ~/data/bdd100k --split val --sheet bdd100k.png --json bdd100k.json
stseg data check ~/data/mine --dataset folders --images 'rgb/*' --masks 'gt/*_mask.png'
"""

_SCHEMA = 'stseg_data_check/1'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-verbs and their arguments.

    Args:
        parser: the verb's parser.
    """
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    summary = 'read every image of a data set, report what is in it, and draw a contact sheet'
    check = actions.add_parser(
        'check',
        help=summary,
        description=f'{summary[0].upper()}{summary[1:]}.',
        epilog='\n  '.join(['examples:', *EXAMPLES.strip().splitlines()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument(
        'folder', type=Path, metavar='DIR', help='a data set, or a folder that holds several'
    )
    check.add_argument(
        '--dataset',
        choices=('camvid', 'kitti', 'bdd100k', 'folders'),
        help='which one it is (default: known by its folders)',
    )
    check.add_argument('--split', metavar='NAME', help='only this split (default: all there are)')
    check.add_argument('--sheet', type=Path, metavar='FILE', help='draw a contact sheet (PNG)')
    check.add_argument('--json', type=Path, metavar='FILE', help='write the figures here as well')
    add_folder_arguments(check)


def run(arguments: argparse.Namespace) -> int:
    """Check the data sets.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0.

    Raises:
        ConfigError: an argument is wrong, or a file cannot be written.
        DataError: a data set is missing or incomplete, or files in it cannot be used.
    """
    from stseg_ros.datasets.check_table import format_table
    from stseg_ros.datasets.dataset_check import guess_datasets

    for file in (arguments.sheet, arguments.json):
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f'{file}: cannot be written, its folder does not exist')
    if arguments.dataset is None:
        folder_files(arguments, None)
        found = guess_datasets(arguments.folder)
    else:
        found = [(arguments.dataset, arguments.folder)]
    checks = [(name, folder, _check(arguments, name, folder)) for name, folder in found]
    document = _document(checks)
    print(format_table(document['datasets']))
    if arguments.json is not None:
        _write(arguments.json, (json.dumps(document, indent=2) + '\n').encode())
    if arguments.sheet is not None:
        _write_sheet(arguments.sheet, checks)
    problems = [
        problem for _, _, splits in checks for split in splits for problem in split.problems
    ]
    if problems:
        first, more = problems[0], len(problems) - 1
        raise DataError(f'{first}; {more} more like it' if more else first)
    return 0


def _check(arguments: argparse.Namespace, dataset: str, folder: Path) -> list[SplitCheck]:
    """Read the splits of one data set that are there, or the one that was asked for."""
    from tqdm import tqdm

    from stseg_ros.datasets.dataset_check import check_split
    from stseg_ros.datasets.vehicle_datasets import dataset_layout, find_split

    files = folder_files(arguments, dataset)
    layout = dataset_layout(dataset, files)
    present = layout.present_splits(folder) or [layout.first_split]
    checks = []
    for split in [arguments.split] if arguments.split else present:
        found = find_split(dataset, folder, split, files)
        title = f'{dataset} {split}'
        with tqdm(total=len(found.samples), desc=title, unit='image', disable=None) as bar:
            checks.append(check_split(split, found, bar.update))
    return checks


def _document(checks: list[tuple[str, Path, list[SplitCheck]]]) -> dict[str, Any]:
    return {
        'schema': _SCHEMA,
        'datasets': [
            {
                'dataset': dataset,
                'folder': str(folder),
                'splits': [split.summary() for split in splits],
            }
            for dataset, folder, splits in checks
        ],
    }


def _write_sheet(path: Path, checks: list[tuple[str, Path, list[SplitCheck]]]) -> None:
    """Draw some images of each split in which any could be read."""
    import cv2

    from stseg_ros.datasets.contact_sheet import Section, draw_sheet

    sections = [
        Section(title=f'{dataset} {split.split}', tiles=split.tiles, images=len(split.facts))
        for dataset, _, splits in checks
        for split in splits
        if split.tiles
    ]
    if not sections:
        return
    done, content = cv2.imencode('.png', cv2.cvtColor(draw_sheet(sections), cv2.COLOR_RGB2BGR))
    assert done, 'an 8-bit picture encodes'
    _write(path, content.tobytes())
    print(f'contact sheet: {path}')


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from error
