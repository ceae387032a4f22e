"""Repeated messages: the first at once, then one per period with the number left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class _Seen:
    """One kind of message: when it was let through, and how often it was held back since."""

    passed_s: float
    held_back: int = 0


class Throttle:
    """Decides which of many equal messages are let through. Not for several threads at once."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing seen.

        Args:
            clock_s: a steady clock in seconds.
        """
        self._clock_s = clock_s
        self._seen: dict[str, _Seen] = {}

    def admit(self, message: str, period_s: float) -> int | None:
        """Ask whether a message may be logged now.

        Args:
            message: its text; different texts do not hold back each other.
            period_s: the least time between two equal ones.

        Returns:
            How many equal ones were left out since the last; None to leave out this one too.
        """
        now_s = self._clock_s()
        seen = self._seen.get(message)
        if seen is not None and now_s - seen.passed_s < period_s:
            seen.held_back += 1
            return None
        self._forget_older_than(now_s - period_s, keep=message)
        self._seen[message] = _Seen(passed_s=now_s)
        return 0 if seen is None else seen.held_back

    def _forget_older_than(self, limit_s: float, keep: str) -> None:
        """Texts that carry sizes can be of any number: drop those that hold nothing back now."""
        self._seen = {
            text: seen
            for text, seen in self._seen.items()
            if seen.passed_s > limit_s or text == keep
        }
