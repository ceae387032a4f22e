"""Fast DDS for cameras: large images get through, and nothing of dead processes is in the way."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from stseg_ros.locations import data_file

PROFILE = 'config/fastdds.xml'
_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
_VARIABLE_BEFORE_KILTED = 'FASTRTPS_DEFAULT_PROFILES_FILE'
_BUILTIN_TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
_RCLPY_MAJOR_OF_KILTED = 9

_SHARED_MEMORY = Path('/dev/shm')  # noqa: S108 - Fast DDS keeps it there
_LOCK_OF_SEGMENT = re.compile(r'(?:fastdds|fastrtps)_[0-9a-f]{16}_el')
_SURELY_LOCKED_S = 10.0


def large_image_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Find the variables that make Fast DDS use our profile.

    The profile reaches processes that use Fast DDS as it comes. ``LARGE_DATA`` does not: a process
    that has it and one that has not exchange no message of any size.

    Args:
        environ: the process's environment.

    Returns:
        Variables to add; none where the user has chosen a profile or transports already.
    """
    chosen = (_VARIABLE, _VARIABLE_BEFORE_KILTED, _BUILTIN_TRANSPORTS)
    profile = data_file(PROFILE)
    if profile is None or any(environ.get(name) for name in chosen):
        return {}
    return {profile_variable(): str(profile)}


def profile_variable() -> str:
    """Name the variable from which this distribution's Fast DDS takes its profiles."""
    return _VARIABLE if is_kilted_or_later() else _VARIABLE_BEFORE_KILTED


def is_kilted_or_later() -> bool:
    """Whether this process's rclpy is that of Kilted or of a later distribution."""
    return int(metadata.version('rclpy').split('.')[0]) >= _RCLPY_MAJOR_OF_KILTED


def use_large_image_transport() -> None:
    """Set those variables for this process; call it before `rclpy.init`."""
    os.environ.update(large_image_environment(os.environ))


def remove_dead_shared_memory(folder: Path = _SHARED_MEMORY) -> list[str]:
    """Remove the shared memory of this user's processes that were killed.

    Each process of Fast DDS holds a lock on a file beside its memory for as long as it lives, and
    a killed one leaves both behind: with our profile 17 MB, and the 64 MB of a container are full
    after three. Fast DDS's own tool for this, ``fastdds shm clean``, is not installed everywhere.

    Args:
        folder: where Fast DDS keeps it.

    Returns:
        Names of the removed segments.
    """
    removed = []
    for lock in sorted(folder.glob('fast*_el')):
        if not _LOCK_OF_SEGMENT.fullmatch(lock.name) or not _is_dead(lock):
            continue
        segment = lock.with_name(lock.name.removesuffix('_el'))
        with suppress(OSError):  # What cannot be tidied up must not keep the node from starting.
            segment.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
            removed.append(segment.name)
    return removed


def _is_dead(lock: Path) -> bool:
    """Whether nobody holds the lock."""
    try:
        status = lock.stat()
        # A process that is just starting creates the file a moment before it locks it.
        young = time.time() - status.st_mtime < _SURELY_LOCKED_S
        if status.st_uid != os.geteuid() or young:
            return False
        with lock.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # It is locked, or it has just been removed by its owner or by another node that starts.
        return False
    return True
