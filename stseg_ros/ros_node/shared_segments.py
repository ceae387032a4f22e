"""Which of Fast DDS's shared memory this process uses, as the kernel shows it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

_SELF = Path('/proc/self')
_SEGMENT = re.compile(r'/((?:fastdds|fastrtps)_[0-9a-f]{16})(?: \(deleted\))?$')
# Beside each segment lies a lock, which its owner holds open.
_LOCK = re.compile(r'/((?:fastdds|fastrtps)_[0-9a-f]{16})_el$')


def mapped_segments(process: Path = _SELF) -> set[str]:
    """List the segments that the process has mapped: its own, and those it has read from.

    Args:
        process: what the kernel shows of the process.

    Returns:
        Names of their files; none where the kernel does not tell.
    """
    try:
        lines = (process / 'maps').read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return set()
    return {match[1] for line in lines if (match := _SEGMENT.search(line))}


def own_segments(process: Path = _SELF) -> set[str]:
    """List the segments that the process writes to.

    Args:
        process: what the kernel shows of the process.

    Returns:
        Names of their files; none where the kernel does not tell.
    """
    found = set()
    # Files are opened and closed all the time, so that one may be gone at the second look.
    with suppress(OSError):
        for entry in (process / 'fd').iterdir():
            with suppress(OSError):
                match = _LOCK.search(str(entry.readlink()))
                if match:
                    found.add(match[1])
    return found
