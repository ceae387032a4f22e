"""`stseg scenes`: synthetic road scenes with exact vehicle masks."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from stseg_ros.errors import ConfigError

SUMMARY = 'Draw synthetic road scenes with exact vehicle masks, as images, data set or drive.'
EXAMPLES = """
stseg scenes --output scenes
stseg scenes --output street_kitti --layout kitti --count 200 --size 1242x375
stseg scenes --output drive --layout drive --count 300 --rate 30
"""

_LAYOUTS = ('plain', 'kitti', 'bdd100k', 'drive')
_DEFAULT_SCENES = 24
_DEFAULT_FRAMES = 300
_DEFAULT_RATE_HZ = 30.0
_SMALLEST, _LARGEST = 32, 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument(
        '--output', required=True, type=Path, metavar='DIR', help='folder to write, new or empty'
    )
    parser.add_argument(
        '--layout',
        choices=_LAYOUTS,
        default='plain',
        help='images/ and masks/, KITTI semantic, BDD100K, or a drive as KITTI raw '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--count',
        type=int,
        metavar='N',
        help=f'scenes ({_DEFAULT_SCENES}), or frames of the drive ({_DEFAULT_FRAMES})',
    )
    parser.add_argument(
        '--seed', type=int, default=0, metavar='S', help='same seed, same scenes (default: 0)'
    )
    parser.add_argument(
        '--size', default='1280x720', metavar='WxH', help='image size (default: %(default)s)'
    )
    parser.add_argument(
        '--rate',
        type=float,
        metavar='HZ',
        help=f'frames per second of a drive (default: {_DEFAULT_RATE_HZ:g})',
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw and write the scenes.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0.

    Raises:
        ConfigError: an argument is out of range.
        DataError: the folder holds something already, or cannot be written.
    """
    size_hw = _size_hw(arguments.size)
    is_drive = arguments.layout == 'drive'
    count = arguments.count
    if count is None:
        count = _DEFAULT_FRAMES if is_drive else _DEFAULT_SCENES
    if count < 1:
        raise ConfigError(f'--count is {count}; give 1 or more')
    if arguments.seed < 0:
        raise ConfigError(f'--seed is {arguments.seed}; give 0 or more')
    rate_hz = _rate_hz(arguments.rate, is_drive=is_drive)
    _write(arguments, count, size_hw, rate_hz)
    kind = f'frames at {rate_hz:g} Hz' if is_drive else 'scenes'
    print(f'{count} {kind} in {arguments.output}; look at {arguments.output / "preview.jpg"}')
    return 0


def _write(
    arguments: argparse.Namespace, count: int, size_hw: tuple[int, int], rate_hz: float
) -> None:
    from tqdm import tqdm

    from stseg_ros.datasets.synthetic.files import write_dataset, write_drive

    with tqdm(total=count, unit='image', disable=None) as bar:
        if arguments.layout == 'drive':
            write_drive(
                arguments.output,
                frames=count,
                rate_hz=rate_hz,
                seed=arguments.seed,
                size_hw=size_hw,
                on_image=bar.update,
            )
        else:
            write_dataset(
                arguments.output,
                arguments.layout,
                count=count,
                seed=arguments.seed,
                size_hw=size_hw,
                on_image=bar.update,
            )


def _size_hw(text: str) -> tuple[int, int]:
    matched = re.fullmatch(r'(\d{1,5})x(\d{1,5})', text)
    if matched is None:
        raise ConfigError(f"--size is '{text}'; give width x height, such as 1280x720")
    width, height = int(matched[1]), int(matched[2])
    if not all(_SMALLEST <= edge <= _LARGEST for edge in (width, height)):
        raise ConfigError(f'--size is {text}; give edges of {_SMALLEST} to {_LARGEST} pixels')
    return height, width


def _rate_hz(rate_hz: float | None, *, is_drive: bool) -> float:
    if rate_hz is None:
        return _DEFAULT_RATE_HZ
    if not is_drive:
        raise ConfigError('--rate is for a drive; add --layout drive, or leave --rate out')
    if not 0.1 <= rate_hz <= 1000:
        raise ConfigError(f'--rate is {rate_hz:g} Hz; give 0.1 to 1000')
    return rate_hz
