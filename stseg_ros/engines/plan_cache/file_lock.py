"""A lock between threads and processes, which the system frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.1


@contextmanager
def hold_lock(
    path: Path,
    *,
    stop: Callable[[], bool] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold a lock, which one thread of one process does at a time.

    Where its file cannot be made, or the file system has no locks, nothing is held.

    Args:
        path: the lock's file; it is made, with its folder, and stays.
        stop: asked while another holds the lock; True ends the waiting without it.
        on_wait: called once, before waiting.

    Yields:
        Nothing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        # Who cannot make a lock cannot write what it guards, and says so then.
        yield
        return
    try:
        if _is_anothers(handle):
            if on_wait is not None:
                on_wait()
            # Blocking instead would keep `stop` from being asked.
            while _is_anothers(handle) and not (stop is not None and stop()):
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(handle)


def _is_anothers(handle: int) -> bool:
    """Try to take a lock; say whether that failed because another holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # Such as ENOLCK on NFS. What the lock guards can stand being done twice.
        return False
    return False
