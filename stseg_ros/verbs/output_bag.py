"""The arguments of every verb that writes a bag."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_output_bag_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where the bag goes and how it is stored.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument(
        '--output', required=True, type=Path, metavar='BAG', help='bag to write, not existing yet'
    )
    parser.add_argument(
        '--storage',
        choices=('mcap', 'sqlite3'),
        default='mcap',
        help='storage of the bag written (default: %(default)s)',
    )
