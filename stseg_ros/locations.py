"""Where models, configuration and launch files lie: in a checkout, a ROS or a pip installation."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = 'stseg_ros'


def data_roots() -> Iterator[Path]:
    """Yield the folders that may hold `models`, `config` and `launch`, nearest first.

    Yields:
        Existing folders: the checkout this module runs from, each ROS prefix in
        ``AMENT_PREFIX_PATH``, and the Python environment's prefix.
    """
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / 'package.xml').is_file():
        yield checkout
    prefixes = [
        prefix for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if prefix
    ]
    for prefix in [*prefixes, sys.prefix]:
        share = Path(prefix) / 'share' / PACKAGE
        if share.is_dir():
            yield share


def data_file(relative: str) -> Path | None:
    """Find a file or folder shipped with the package.

    Args:
        relative: path below a data root, such as 'config/segment.yaml'.

    Returns:
        The first that exists, or None.
    """
    return next((root / relative for root in data_roots() if (root / relative).exists()), None)
