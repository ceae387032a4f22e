"""The one thread that opens, runs and closes the networks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, Protocol, TypeVar

Item = TypeVar('Item')
Item_co = TypeVar('Item_co', covariant=True)
Result = TypeVar('Result')


class Source(Protocol[Item_co]):
    """Where items come from, such as a `Mailbox`."""

    def wait(self) -> bool:
        """Wait for an item; return whether there is one, False once the source is closed."""
        ...

    def take(self) -> Item_co | None:
        """Wait for an item and return it, or None once the source is closed."""
        ...


class InferenceWorker(Generic[Item]):
    """Runs all that touches the networks in the same thread, as a GPU's context wants it."""

    def __init__(self, source: Source[Item], on_crash: Callable[[BaseException], None]) -> None:
        """Start the thread.

        Args:
            source: where `run` takes its items from.
            on_crash: called in the thread when `run` ended by an error.
        """
        self._source = source
        self._on_crash = on_crash
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix='inference')

    def call(self, function: Callable[[], Result]) -> Result:
        """Call a function in the thread and wait for it.

        Args:
            function: what to call; not while `run` is under way.

        Returns:
            What it returns; what it raises is raised here.
        """
        return self._pool.submit(function).result()

    def run(
        self,
        process: Callable[[Item], None],
        turns: AbstractContextManager[None] | None = None,
    ) -> None:
        """Start to process the items one by one, until the source is closed.

        Args:
            process: called in the thread with each item.
            turns: entered for each item, before it is taken; None lets nothing in between.
        """
        running = self._pool.submit(
            self._process_all, process, nullcontext() if turns is None else turns
        )
        running.add_done_callback(self._report_crash)

    def join(self) -> None:
        """Wait until `run` and `on_crash` have ended, after the source was closed."""
        # The thread does one thing after the other, and tells of a crash in between.
        self.call(_do_nothing)

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()

    def _process_all(
        self, process: Callable[[Item], None], turns: AbstractContextManager[None]
    ) -> None:
        while self._source.wait():
            with turns:
                # Only now: a newer item may have come while this thread waited for its turn.
                item = self._source.take()
                if item is not None:
                    process(item)

    def _report_crash(self, running: Future[None]) -> None:
        error = running.exception()
        if error is not None:
            self._on_crash(error)


def _do_nothing() -> None:
    """Done once all before it is done."""
