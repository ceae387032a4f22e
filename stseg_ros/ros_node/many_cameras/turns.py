"""Whose image is next, where cameras share a processor."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """Lets some threads in at once, and the others in the order in which they came.

    It is a context manager that any number of threads may enter. A place that becomes free is
    handed to the thread that has waited longest, and none can push in before it, as they can with
    a lock or a semaphore. So N cameras that all have images waiting are served in turn, however
    fast some of them are.
    """

    def __init__(self, at_once: int) -> None:
        """Start empty.

        Args:
            at_once: how many threads may be inside, 1 or more.
        """
        assert at_once > 0
        self._lock = threading.Lock()
        self._free = at_once
        # Whoever waits is held up by a lock of its own.
        self._waiting: deque[threading.Lock] = deque()

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        with self._lock:
            return len(self._waiting)

    def __enter__(self) -> None:
        """Wait for a place."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        called.acquire()

    def __exit__(self, *_: object) -> None:
        """Leave, and let in whoever has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
