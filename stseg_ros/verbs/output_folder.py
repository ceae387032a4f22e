"""The folder that a verb writes to."""

from __future__ import annotations

from pathlib import Path

from stseg_ros.errors import ConfigError


def make_output_folder(path: Path) -> None:
    """Make a folder, with those above it; one that is there already is fine.

    Args:
        path: what the user named.

    Raises:
        ConfigError: there is a file of that name, or no folder can be made there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(
            f'{path} cannot be made a folder ({err.strerror}); give another --output'
        ) from err
