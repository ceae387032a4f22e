"""Ctrl-C and termination as a wish that the training loop fulfils between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether someone asked the training to stop.

    Attributes:
        signal_number: what asked; 0 before.
    """

    def __init__(self) -> None:
        """Start without a request."""
        self.signal_number = 0

    def note(self, signal_number: int, frame: FrameType | None) -> None:
        """Take note of a signal; a second Ctrl-C does not wait for the step to end.

        Args:
            signal_number: SIGINT or SIGTERM.
            frame: where the program was; not used.

        Raises:
            KeyboardInterrupt: this is the second SIGINT.
        """
        del frame
        if signal_number == signal.SIGINT == self.signal_number:
            raise KeyboardInterrupt
        self.signal_number = self.signal_number or signal_number


@contextmanager
def catch_stop_requests() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request for as long as the context lasts.

    Yields:
        The request; nothing raises it where the caller is not the main thread, which alone gets
        signals.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in kept:
        signal.signal(number, request.note)
    try:
        yield request
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
