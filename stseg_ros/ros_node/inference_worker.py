"""The one thread that opens, runs and closes the networks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from stseg_ros.ros_node.mailbox import Mailbox

Item = TypeVar('Item')
Result = TypeVar('Result')


class InferenceWorker(Generic[Item]):
    """Runs all that touches the networks in the same thread, as a GPU's context wants it."""

    def __init__(self, mailbox: Mailbox[Item], on_crash: Callable[[BaseException], None]) -> None:
        """Start the thread.

        Args:
            mailbox: where `run` takes its items from.
            on_crash: called in the thread when `run` ended by an error.
        """
        self._mailbox = mailbox
        self._on_crash = on_crash
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix='inference')
        self._running: Future[None] | None = None

    def call(self, function: Callable[[], Result]) -> Result:
        """Call a function in the thread and wait for it.

        Args:
            function: what to call; not while `run` is under way.

        Returns:
            What it returns; what it raises is raised here.
        """
        return self._pool.submit(function).result()

    def run(self, process: Callable[[Item], None]) -> None:
        """Start to process the mailbox's items one by one, until the mailbox is closed.

        Args:
            process: called in the thread with each item.
        """
        self._running = self._pool.submit(self._process_all, process)
        self._running.add_done_callback(self._report_crash)

    def join(self) -> None:
        """Wait until `run` has ended, after the mailbox was closed."""
        if self._running is not None:
            wait([self._running])

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()

    def _process_all(self, process: Callable[[Item], None]) -> None:
        while (item := self._mailbox.take()) is not None:
            process(item)

    def _report_crash(self, running: Future[None]) -> None:
        error = running.exception()
        if error is not None:
            self._on_crash(error)
