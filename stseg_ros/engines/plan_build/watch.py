"""Runs a build in a thread of its own, so that it can be watched and stopped from the caller's.

A library builds for minutes inside one call. Called in the main thread, that call would keep
Python from ever seeing Ctrl-C; so the caller's thread waits here, hands on the progress, and tells
the library's progress monitor to stop the build.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from stseg_ros.engines.tensorrt.library import TensorRtLibrary

# How often a waiting caller looks whether it should stop.
_POLL_S = 0.1

Built = TypeVar('Built')


class BuildWatch:
    """What passes between the thread that builds and the one that waits.

    Attributes:
        cancelled: set to stop the build at its next step.
        progress: share done in [0, 1] and phase, newest last; None once the build has ended.
    """

    def __init__(self) -> None:
        """Start with nothing done."""
        self.cancelled = threading.Event()
        self.progress: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()

    def monitor(self, library: TensorRtLibrary) -> Any:
        """Make a progress monitor that reports to this watch.

        Args:
            library: the library that will report to it; it has progress monitors.

        Returns:
            The object that the library's builder configuration takes.
        """
        base: Any = library.module.IProgressMonitor
        phases = PhaseTree()
        # Libraries build in several threads, and report from each. The lock also covers the
        # telling, or an older share could come after a newer one.
        lock = threading.Lock()
        watch = self

        class Monitor(base):  # type: ignore[misc]
            """Hands the library's phases on."""

            def __init__(self) -> None:
                super().__init__()

            def phase_start(self, name: str, parent: str | None, steps: int) -> None:
                with lock:
                    phases.start(name, parent, steps)
                    watch.progress.put((phases.share(), name))

            def step_complete(self, name: str, step: int) -> bool:
                with lock:
                    phases.complete(name, step)
                    watch.progress.put((phases.share(), name))
                return not watch.cancelled.is_set()

            def phase_finish(self, name: str) -> None:
                with lock:
                    phases.finish(name)

        return Monitor()


class PhaseTree:
    """The share of a build that is done, from phases that lie within the steps of others.

    One thread at a time may use it.
    """

    def __init__(self) -> None:
        """Start before the first phase."""
        # Name to parent, number of steps, and steps done; in the order they were started.
        self._open: dict[str, tuple[str | None, int, int]] = {}
        self._share = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Note that a phase starts.

        Args:
            name: its name.
            parent: the phase that it is a part of.
            steps: how many steps it will take.
        """
        self._open[name] = (parent, max(steps, 1), 0)

    def complete(self, name: str, step: int) -> None:
        """Note that a step of a phase is done.

        Args:
            name: the phase.
            step: the step, counted from 0.
        """
        if name in self._open:
            parent, steps, _ = self._open[name]
            self._open[name] = (parent, steps, step + 1)

    def finish(self, name: str) -> None:
        """Note that a phase has ended.

        Args:
            name: the phase.
        """
        self._open.pop(name, None)

    def share(self) -> float:
        """Return the share done, in [0, 1]; it never falls."""
        roots = [name for name, (parent, _, _) in self._open.items() if parent not in self._open]
        self._share = max([self._share, *(self._share_of(name) for name in roots)])
        return self._share

    def _share_of(self, name: str) -> float:
        _, steps, done = self._open[name]
        parts = (child for child, (parent, _, _) in self._open.items() if parent == name)
        under_way = max((self._share_of(child) for child in parts), default=0.0)
        return min((done + under_way) / steps, 1.0)


def run_watched(
    build: Callable[[BuildWatch], Built],
    *,
    progress: Callable[[float, str], None] | None,
    stop: Callable[[], bool] | None,
) -> Built:
    """Run a build in a thread of its own and wait for its end.

    Args:
        build: what to run; it gives the watch's monitor to the library.
        progress: called in this thread with the share done and the phase.
        stop: asked in this thread; True stops the build at its next step.

    Returns:
        What `build` returned.

    Raises:
        BaseException: what `build` raised, or what came up in this thread, such as Ctrl-C; the
            build has ended by then.
    """
    watch = BuildWatch()
    results: list[Built] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(build(watch))
        except BaseException as err:  # noqa: BLE001 - raised again in the thread that waits
            errors.append(err)
        finally:
            watch.progress.put(None)

    # A daemon, so that a second Ctrl-C leaves at once.
    thread = threading.Thread(target=work, name='build', daemon=True)
    thread.start()
    try:
        _wait(watch, progress, stop)
    except BaseException:
        watch.cancelled.set()
        thread.join()
        raise
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _wait(
    watch: BuildWatch,
    progress: Callable[[float, str], None] | None,
    stop: Callable[[], bool] | None,
) -> None:
    """Hand on progress until the build has ended."""
    while True:
        if stop is not None and stop():
            watch.cancelled.set()
        try:
            news = watch.progress.get(timeout=_POLL_S)
        except queue.Empty:
            continue
        if news is None:
            return
        if progress is not None:
            progress(*news)
