"""`stseg soak`: the node under good and bad images for long, and the promises it kept."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.verbs.backend_argument import add_backend_argument
from stseg_ros.verbs.output_folder import make_output_folder

if TYPE_CHECKING:
    from stseg_ros.soak.course import SoakOptions
    from stseg_ros.soak.ledger import Ledger

SUMMARY = """\
Run the node under load, in a process of its own over ROS 2, and check what it promises. A camera
process sends good and spoiled images mixed, at twice the rate that the node sustains, in changing
sizes, encodings and rates, and starts anew now and then.

Checked: every image is a mask or counted; masks answer their images and are not late; memory, file
descriptors and threads do not grow; Ctrl-C ends the node and nothing of it stays behind.
The status is 0 when all was kept, 1 when not. Ctrl-C ends it early, with the report so far."""
EXAMPLES = """
stseg soak --seconds 1800 --output soak
stseg soak --seconds 60 --transport compressed --json soak.json
stseg soak --rate 30 --bundle models/my_driving --backend tensorrt
"""

_SHORTEST_S, _LONGEST_S = 10.0, 7 * 86400.0
_FASTEST_HZ = 1000.0
_LINE_EVERY_S = 10.0
_PRODUCTS = ('soak.json', 'soak.png', 'node.log', 'camera.log')
_MARKS = {True: 'kept', False: 'BROKEN', None: 'unknown'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument(
        '--seconds',
        type=float,
        default=60.0,
        metavar='N',
        help='length of the soak; what is measured first takes some seconds more '
        '(default: %(default)g)',
    )
    parser.add_argument(
        '--rate',
        type=float,
        metavar='HZ',
        help='images per second (default: twice what the node sustains, measured first)',
    )
    parser.add_argument(
        '--transport',
        choices=('raw', 'compressed'),
        default='raw',
        help='kind of image messages (default: %(default)s)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the schedule (default: %(default)s)'
    )
    parser.add_argument(
        '--bundle', default=DEFAULT_BUNDLE, help='bundle name or folder (default: %(default)s)'
    )
    add_backend_argument(parser)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the report here too')
    parser.add_argument(
        '--output',
        type=Path,
        metavar='DIR',
        help=f'folder to write {", ".join(_PRODUCTS)} to; those of an earlier soak are replaced',
    )


def run(arguments: argparse.Namespace) -> int:
    """Soak, and print what came of it.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0, or 1 where a promise was broken.

    Raises:
        StsegError: a setting, the bundle or the node's start is at fault, or ROS is not there.
    """
    _check(arguments)

    from stseg_ros.soak.course import SoakOptions

    # Logs are kept where something is amiss, even if nobody asked for them.
    output = arguments.output or Path(tempfile.mkdtemp(prefix='stseg_soak_'))
    options = SoakOptions(
        seconds=arguments.seconds,
        rate_hz=arguments.rate,
        transport=arguments.transport,
        bundle=arguments.bundle,
        backend=arguments.backend,
        seed=arguments.seed,
        output=output,
    )
    try:
        document = _soak(options)
    except KeyboardInterrupt:
        if arguments.output is None:
            shutil.rmtree(output)
        raise
    except StsegError:
        if arguments.output is None and not any(output.iterdir()):
            output.rmdir()
        raise
    written = _write(document, arguments)
    _print(document)
    broken = [promise for promise in document['promises'] if promise['kept'] is False]
    if written:
        print(f'\nwritten: {", ".join(map(str, written))}')
    if arguments.output is None:
        if broken:
            print(f'\nthe logs of node and camera are in {output}')
        else:
            shutil.rmtree(output)
    return 1 if broken else 0


def _check(arguments: argparse.Namespace) -> None:
    """Check what can be checked before anything takes long, and make room for the results."""
    from stseg_ros.engines.backends import AUTO, BACKENDS

    seconds, rate = arguments.seconds, arguments.rate
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise ConfigError(
            f'--seconds is {seconds:g}; expected {_SHORTEST_S:g} to {_LONGEST_S:.0f} (a week)'
        )
    if rate is not None and not 0.0 < rate <= _FASTEST_HZ:
        raise ConfigError(
            f'--rate is {rate:g}; expected above 0 and at most {_FASTEST_HZ:g} images per second'
        )
    if arguments.backend not in (AUTO, *BACKENDS):
        names = ', '.join((AUTO, *BACKENDS))
        raise ConfigError(f'--backend is {arguments.backend!r}; expected one of {names}')
    if arguments.json is not None:
        folder = arguments.json.absolute().parent
        if not folder.is_dir() or arguments.json.is_dir():
            raise ConfigError(f'{arguments.json}: cannot be written; give another --json')
    if arguments.output is not None:
        make_output_folder(arguments.output)
        for name in _PRODUCTS:
            (arguments.output / name).unlink(missing_ok=True)


def _soak(options: SoakOptions) -> dict[str, Any]:
    """Soak, with a bar on a terminal, and a line every ten seconds anywhere."""
    from tqdm import tqdm

    from stseg_ros.soak.course import Progress
    from stseg_ros.soak.run_soak import run_soak

    due_s = _LINE_EVERY_S
    with tqdm(
        total=math.ceil(options.seconds), desc='soak', unit='s', disable=None, leave=False
    ) as bar:

        def say(text: str) -> None:
            bar.write(f'{text} ...')

        def on_time(at_s: float, ledger: Ledger) -> None:
            nonlocal due_s
            bar.update(min(int(at_s), bar.total or 0) - bar.n)
            if at_s >= due_s:
                due_s += _LINE_EVERY_S
                bar.write(_line(at_s, ledger))

        return run_soak(options, Progress(say=say, on_time=on_time))


def _line(at_s: float, ledger: Ledger) -> str:
    balance = ledger.balance()
    counts = ', '.join(
        f'{count} {name.removeprefix("frames_")}'
        for name, count in balance.counts.items()
        if name not in ('frames_received', 'masks_published')
    )
    return f'{at_s:6.0f} s: {balance.published} sent, {balance.masks} masks, {counts}'


def _print(document: dict[str, Any]) -> None:
    from stseg_ros.soak.report import summary_rows

    rows = summary_rows(document)
    width = max(len(name) for name, _ in rows)
    print('\nsoak' + (', ended early' if document['interrupted'] else ''))
    for name, value in rows:
        print(f'  {name:<{width}}  {value}')
    promises = document['promises']
    print('\npromises')
    for promise in promises:
        print(f'  {_MARKS[promise["kept"]]:<7}  {promise["name"]}: {promise["found"]}')


def _write(document: dict[str, Any], arguments: argparse.Namespace) -> list[Path]:
    text = json.dumps(document, indent=1) + '\n'
    targets = [arguments.json] if arguments.json else []
    if arguments.output is not None:
        targets.append(arguments.output / 'soak.json')
    for path in targets:
        _write_text(path, text)
    if arguments.output is not None and document['series']['at_s']:
        from stseg_ros.soak.figure import draw_soak

        targets.append(arguments.output / 'soak.png')
        draw_soak(document, targets[-1])
    return targets


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding='utf-8')
    except OSError as err:
        raise ConfigError(f'{path}: cannot be written ({err.strerror})') from err
