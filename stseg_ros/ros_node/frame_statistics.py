"""What the node counts: shared by its callback, its inference thread and its diagnostics."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts since the node started.

    Attributes:
        frames_received: images that reached the node.
        masks_published: images segmented and published.
        frames_bad: images that could not be used.
        frames_failed: images lost because a network or the node's code failed.
        frames_retried: images that a network failed on and took at the second attempt, or not.
        frames_lost: images that were published and did not reach the node, where it can tell.
        masks_late: masks published later than the latency budget.
        masks_cut: masks with fewer regions than asked for, because of the latency budget.
    """

    frames_received: int = 0
    masks_published: int = 0
    frames_bad: int = 0
    frames_failed: int = 0
    frames_retried: int = 0
    frames_lost: int = 0
    masks_late: int = 0
    masks_cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What happened between two reports.

    Attributes:
        totals: counts since the node started.
        duration_s: its length.
        frames_received: images that reached the node in this window.
        masks_published: masks in this window.
        frames_bad: unusable images in this window.
        frames_lost: images that did not reach the node in this window.
        masks_late: masks later than the latency budget in this window.
        rate_hz: masks per second in this window.
        processing_ms: median and 95th percentile of decode to publish; None without a mask.
        latency_ms: from the newest mask's message to its publication; None without a mask, ever.
        late_for_s: how long masks have been later than the latency budget; 0 where the newest was
            not.
        regions: regions refined in the newest frame.
        last_bad_reason: why the latest unusable image was unusable, ever.
        failure: why a network failed, as long as no mask came after it.
        silence_s: seconds since the newest image, or since `restart_silence`.
    """

    totals: Totals
    duration_s: float
    frames_received: int
    masks_published: int
    frames_bad: int
    frames_lost: int
    masks_late: int
    rate_hz: float
    processing_ms: tuple[float, float] | None
    latency_ms: float | None
    late_for_s: float
    regions: int
    last_bad_reason: str
    failure: str
    silence_s: float


@dataclass(slots=True, kw_only=True)
class _Open:
    """The window that is being filled."""

    started_ns: int
    before: Totals
    processing_ns: list[int] = field(default_factory=list)


class FrameStatistics:
    """Counts frames; any thread may call any method."""

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Start at zero.

        Args:
            clock_ns: a steady clock.
        """
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._totals = Totals()
        self._regions = 0
        self._latency_ns: int | None = None
        self._last_bad_reason = self._failure = ''
        self._heard_ns = self._in_time_ns = clock_ns()
        self._late = False
        self._open = _Open(started_ns=self._heard_ns, before=self._totals)

    def restart(self) -> None:
        """Begin anew what is judged, not counted: silence, lateness, and the latest failure."""
        with self._lock:
            self._heard_ns = self._in_time_ns = self._clock_ns()
            self._late, self._failure = False, ''

    def note_received(self) -> None:
        """An image has reached the node."""
        with self._lock:
            self._add(frames_received=1)
            self._heard_ns = self._clock_ns()

    def note_lost(self, count: int) -> None:
        """Images were published and did not come.

        Args:
            count: how many.
        """
        with self._lock:
            self._add(frames_lost=count)

    def note_published(
        self,
        *,
        processing_ns: int,
        regions: int,
        latency_ns: int = 0,
        late: bool = False,
        cut: bool = False,
    ) -> int:
        """A mask has been published.

        Args:
            processing_ns: from taking the image to having published the mask.
            regions: regions refined in it.
            latency_ns: from the message's arrival to having published the mask.
            late: whether that is more than the latency budget.
            cut: whether the latency budget took regions away.

        Returns:
            How many masks have been published.
        """
        with self._lock:
            self._add(masks_published=1, masks_late=late, masks_cut=cut)
            self._regions = regions
            self._latency_ns, self._late = latency_ns, late
            if not late:
                self._in_time_ns = self._clock_ns()
            self._failure = ''
            self._open.processing_ns.append(processing_ns)
            return self._totals.masks_published

    def note_bad(self, reason: str) -> None:
        """An image could not be used.

        Args:
            reason: why, one line.
        """
        with self._lock:
            self._add(frames_bad=1)
            self._last_bad_reason = reason

    def note_failed(self, reason: str) -> None:
        """An image was lost by a failure of a network or of the node's code.

        Args:
            reason: why, one line.
        """
        with self._lock:
            self._add(frames_failed=1)
            self._failure = reason

    def note_retried(self) -> None:
        """A network failed on an image, which is tried once more."""
        with self._lock:
            self._add(frames_retried=1)

    def read_window(self) -> Window:
        """Close the current window and open the next.

        Returns:
            The closed window.
        """
        with self._lock:
            now_ns = self._clock_ns()
            totals, before = self._totals, self._open.before
            closed, self._open = self._open, _Open(started_ns=now_ns, before=totals)
            duration_s = (now_ns - closed.started_ns) / _NS_PER_S
            masks = len(closed.processing_ns)
            processing_ms = None
            if masks:
                median, high = np.percentile(closed.processing_ns, (50, 95)) / 1e6
                processing_ms = (float(median), float(high))
            return Window(
                totals=totals,
                duration_s=duration_s,
                frames_received=totals.frames_received - before.frames_received,
                masks_published=masks,
                frames_bad=totals.frames_bad - before.frames_bad,
                frames_lost=totals.frames_lost - before.frames_lost,
                masks_late=totals.masks_late - before.masks_late,
                rate_hz=masks / duration_s if duration_s > 0 else 0.0,
                processing_ms=processing_ms,
                latency_ms=None if self._latency_ns is None else self._latency_ns / 1e6,
                late_for_s=(now_ns - self._in_time_ns) / _NS_PER_S if self._late else 0.0,
                regions=self._regions,
                last_bad_reason=self._last_bad_reason,
                failure=self._failure,
                silence_s=(now_ns - self._heard_ns) / _NS_PER_S,
            )

    def _add(self, **more: int) -> None:
        """Count; the lock is held."""
        sums = {name: getattr(self._totals, name) + count for name, count in more.items()}
        self._totals = dataclasses.replace(self._totals, **sums)
