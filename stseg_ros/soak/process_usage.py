"""What a process holds and uses, as the Linux kernel shows it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path('/proc')
_KB_PER_MB = 1000.0
_KIB = 1.024
# Fields of /proc/PID/stat after the name in brackets, the first being the state.
_SESSION, _MINOR_FAULTS, _USER_TICKS, _SYSTEM_TICKS = 3, 7, 11, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A process at one moment.

    Attributes:
        resident_mb: memory that it holds in RAM, with what it shares with others, in 10^6 bytes.
        anonymous_mb: the part of it that is neither a file nor shared.
        descriptors: open files, sockets and the like.
        threads: threads.
        cpu_s: processor time since its start.
        faults: pages of memory that it was given since its start.
    """

    resident_mb: float
    anonymous_mb: float
    descriptors: int
    threads: int
    cpu_s: float
    faults: int


def read_usage(pid: int, proc: Path = _PROC) -> Usage | None:
    """Ask the kernel what a process holds.

    Args:
        pid: the process.
        proc: where the kernel shows processes.

    Returns:
        Its usage; None when it has ended.
    """
    folder = proc / str(pid)
    try:
        lines = (folder / 'status').read_text(encoding='utf-8').splitlines()
        descriptors = sum(1 for _ in (folder / 'fd').iterdir())
        ticks = _stat(folder)
    except OSError:
        return None
    fields = dict(line.split(':', 1) for line in lines)
    if 'VmRSS' not in fields:
        return None  # A process that has ended and was not waited for has no memory.
    return Usage(
        resident_mb=_megabytes(fields['VmRSS']),
        anonymous_mb=_megabytes(fields['RssAnon']),
        descriptors=descriptors,
        threads=int(fields['Threads']),
        cpu_s=(int(ticks[_USER_TICKS]) + int(ticks[_SYSTEM_TICKS])) / os.sysconf('SC_CLK_TCK'),
        faults=int(ticks[_MINOR_FAULTS]),
    )


def members_of_session(leader: int, proc: Path = _PROC) -> list[int]:
    """List the processes of a session: its leader, and whatever that has started.

    Args:
        leader: the process that the session was made for; it may have ended.
        proc: where the kernel shows processes.

    Returns:
        Their numbers, ascending.
    """
    found = []
    for folder in proc.glob('[0-9]*'):
        with suppress(OSError):  # It has just ended.
            if int(_stat(folder)[_SESSION]) == leader:
                found.append(int(folder.name))
    return sorted(found)


def _stat(folder: Path) -> list[str]:
    # The name of a program may hold blanks and brackets.
    return (folder / 'stat').read_text(encoding='utf-8').rpartition(')')[2].split()


def _megabytes(text: str) -> float:
    """Turn the kernel's '123 kB', which are of 1024 bytes, into 10^6 bytes."""
    return int(text.split(maxsplit=1)[0]) * _KIB / _KB_PER_MB
