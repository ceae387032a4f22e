"""The arguments that say how a bundle's regions are chosen."""

from __future__ import annotations

import argparse

from stseg_ros.config import PRESETS, SELECTORS


def add_method_arguments(group: argparse._ArgumentGroup) -> None:
    """Declare the preset and the selector.

    Args:
        group: where they belong.
    """
    group.add_argument(
        '--preset',
        choices=PRESETS,
        help="the paper's settings in place of the bundle's: selector grid, fusion paste, "
        'threshold 0.5 and the root of the number of regions; other arguments win over it',
    )
    group.add_argument(
        '--selector',
        choices=SELECTORS,
        help="how regions are chosen (default: the bundle's way)",
    )
