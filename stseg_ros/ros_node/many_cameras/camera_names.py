"""The names of cameras that share a process: each is a namespace."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stseg_ros.errors import ConfigError

_CAMERA = re.compile(r'[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*)*')


def camera_names(words: Sequence[str]) -> list[str]:
    """Read the cameras' names.

    Args:
        words: names, or several names with commas between them.

    Returns:
        The names, which are relative namespaces.

    Raises:
        ConfigError: a name cannot be a namespace, or is there twice.
    """
    names = [name for word in words for name in word.split(',') if name]
    if not names:
        raise ConfigError('--cameras names no camera; expected such as: --cameras front left')
    for name in names:
        if not _CAMERA.fullmatch(name):
            raise ConfigError(
                f'camera {name!r} is no name for a namespace; expected letters, digits and '
                'underscores, without a digit at the start, such as front or front/left'
            )
        if names.count(name) > 1:
            raise ConfigError(f'camera {name} is named twice; expected each once')
    return names
