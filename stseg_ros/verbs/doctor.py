"""`stseg doctor`: check the machine, and say what to do."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.errors import ConfigError

if TYPE_CHECKING:
    from stseg_ros.doctor.examination import Examined
    from stseg_ros.doctor.finding import Check, Finding

SUMMARY = """\
Check this machine and say what to do: ROS 2, whether images as large as a camera's get from one
process to another, the backends and their speed, the bundle, the clock. Works without ROS and
without a GPU. It changes nothing, but TensorRT fills the cache of engines at its first start.

Marks: ok; look: works, with a but; fail: does not work; skip: not for this machine.
The status is 0 when nothing failed, 1 when something did."""
EXAMPLES = """
stseg doctor
stseg doctor --bundle models/my_driving --json doctor.json
stseg doctor --only transport kernel
stseg doctor --only backend
stseg doctor --list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument(
        '--only',
        nargs='+',
        default=[],
        metavar='NAME',
        help='make these checks only; --list names them',
    )
    parser.add_argument(
        '--bundle',
        help='name of a shipped bundle, or a bundle folder (default: the one that the node runs)',
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='write what was found, with details, here too'
    )
    parser.add_argument('--list', action='store_true', help='list the checks and make none')


def run(arguments: argparse.Namespace) -> int:
    """Make the checks.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0, or 1 where a check found an error.

    Raises:
        ConfigError: there is no check of a name, or the file cannot be written.
    """
    from stseg_ros.doctor.catalogue import all_checks, choose
    from stseg_ros.doctor.examination import has_failed, sum_up

    checks = all_checks(arguments.bundle)
    width = max(map(len, checks))
    chosen = choose(checks, arguments.only)
    if arguments.list:
        for check in chosen:
            print(f'{check.name:<{width}}  {check.title}')
        return 0
    if arguments.json is not None:
        # A minute of checks is not to be lost for a wrong name.
        _check_folder(arguments.json)
    found = _examine(chosen, arguments.bundle, width)
    if arguments.json is not None:
        _write_findings(arguments.json, found)
    print(sum_up(found))
    return 1 if has_failed(found) else 0


def _examine(checks: list[Check], bundle: str | None, width: int) -> list[Examined]:
    """Make the checks and print each when it is done."""
    from stseg_ros.doctor.examination import describe, examine
    from stseg_ros.doctor.isolation import run_isolated

    def run_one(check: Check) -> Finding:
        _show_progress(f'      {check.name:<{width}}  ...')
        try:
            return run_isolated(check, bundle=bundle)
        finally:
            _show_progress('')

    found = []
    for examined in examine(checks, run_one):
        print(describe(examined, width), flush=True)
        found.append(examined)
    return found


def _show_progress(text: str) -> None:
    """Write over the current line of a terminal."""
    if sys.stderr.isatty():
        print(f'\r\x1b[K{text}', end='', file=sys.stderr, flush=True)


def _write_findings(path: Path, found: list[Examined]) -> None:
    from stseg_ros.doctor.examination import as_json

    try:
        version = metadata.version('stseg_ros')
    except metadata.PackageNotFoundError:
        version = 'unknown'
    content = json.dumps(as_json(found, version=version), indent=2)
    try:
        path.write_text(f'{content}\n', encoding='utf-8')
    except OSError as err:
        raise ConfigError(f'{path}: cannot be written ({err.strerror})') from err


def _check_folder(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise ConfigError(f'{path}: cannot be written, its folder does not exist')
