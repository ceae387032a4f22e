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

    def take(self) -> Item | None:
        """Wait for an item and take it out.

        Returns:
            The item, or None once the mailbox is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed)
            item, self._item = self._item, None
            return None if self._closed else item

    def open(self) -> None:
        """Accept items from now on."""
        with self._changed:
            self._closed = False

    def close(self) -> None:
        """Drop what is waiting, and let every `take` return None from now on."""
        with self._changed:
            self._drop_waiting()
            self._closed = True
            self._changed.notify_all()

    def _drop_waiting(self) -> None:
        if self._item is not None:
            self._item = None
            self._dropped += 1
