"""The place between the image callback and the inference thread: one item, always the newest."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """Holds at most one item; a newer one replaces it, and the replaced one counts as dropped."""

    def __init__(self) -> None:
        """Start empty and closed."""
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._dropped = 0
        self._closed = True
        self._failure: Exception | None = None

    @property
    def dropped(self) -> int:
        """How many items were never taken."""
        with self._changed:
            return self._dropped

    def put(self, item: Item) -> None:
        """Leave an item; one that was still waiting is dropped.

        Args:
            item: the newest item; a closed mailbox drops it.
        """
        with self._changed:
            if self._closed:
                self._dropped += 1
                return
            self._drop_waiting()
            self._item = item
            self._changed.notify()

    def wait(self) -> bool:
        """Wait for an item, and leave it there, where a newer one may replace it.

        Returns:
            Whether there is one; False once the mailbox is closed.

        Raises:
            Exception: what `fail` was given.
        """
        with self._changed:
            self._wait()
            return not self._closed

    def take(self) -> Item | None:
        """Wait for an item and take it out.

        Returns:
            The item, or None once the mailbox is closed.

        Raises:
            Exception: what `fail` was given.
        """
        with self._changed:
            self._wait()
            item, self._item = self._item, None
            return None if self._closed else item

    def open(self) -> None:
        """Accept items from now on."""
        with self._changed:
            self._closed, self._failure = False, None

    def close(self) -> None:
        """Drop what is waiting, and let every `take` return None from now on."""
        with self._changed:
            self._close()

    def fail(self, error: Exception) -> None:
        """Close the mailbox, and have whoever takes from it raise an error, until it is opened.

        Args:
            error: the error; a mailbox that is closed already stays as it is.
        """
        with self._changed:
            if not self._closed:
                self._failure = error
                self._close()

    def _wait(self) -> None:
        self._changed.wait_for(lambda: self._item is not None or self._closed)
        if self._failure is not None:
            raise self._failure

    def _close(self) -> None:
        self._drop_waiting()
        self._closed = True
        self._changed.notify_all()

    def _drop_waiting(self) -> None:
        if self._item is not None:
            self._item = None
            self._dropped += 1
