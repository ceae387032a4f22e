"""The files of the cache of plans, told from all others by their names.

The folder may be any that a user named, so that nothing else in it is listed or deleted.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PLAN, SET_ASIDE, LOCK, TIMING = '.plan', '.bad', '.lock', '.timing'

# Plans and what goes with them are named by their key's digest, times of kernels by the library.
# Unfinished files carry the numbers of the process and the thread besides.
_OWN_NAME = re.compile(
    r'[0-9a-f]{64}\.(plan|bad|lock)'
    r'|([0-9a-f]{64}|tensorrt.*)\.\d+(\.\d+)?\.part'
    r'|tensorrt(_rtx)?-.*\.timing'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFile:
    """One file of the cache.

    Attributes:
        path: where it lies.
        used_ns: when it was last used, ns since the epoch.
        size_bytes: its length.
    """

    path: Path
    used_ns: int
    size_bytes: int


def own_files(root: Path, suffix: str = '') -> list[CacheFile]:
    """List the cache's files.

    Args:
        root: the folder; it may be missing.
        suffix: how their names end; '' lists all.

    Returns:
        The files, the least recently used first.
    """
    found = []
    for path in root.glob(f'*{suffix}'):
        # Another process may delete it meanwhile, or the folder may be closed to this user.
        with suppress(OSError):
            if _OWN_NAME.fullmatch(path.name) and path.is_file():
                status = path.stat()
                found.append(
                    CacheFile(path=path, used_ns=status.st_mtime_ns, size_bytes=status.st_size)
                )
    return sorted(found, key=lambda file: file.used_ns)


def delete_file(path: Path) -> int:
    """Delete a file.

    Args:
        path: the file.

    Returns:
        The bytes freed; 0 where it is gone already or stays.
    """
    with suppress(OSError):
        size = path.stat().st_size
        path.unlink()
        return size
    return 0
