"""What the node counts: shared by its callback, its inference thread and its diagnostics."""

from __future__ import annotations

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
        frames_failed: images lost because a network failed.
    """

    frames_received: int = 0
    masks_published: int = 0
    frames_bad: int = 0
    frames_failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What happened between two reports.

    Attributes:
        totals: counts since the node started.
        masks_published: masks in this window.
        frames_bad: unusable images in this window.
        rate_hz: masks per second in this window.
        processing_ms: median and 95th percentile of decode to publish; None without a mask.
        regions: regions refined in the newest frame.
        last_bad_reason: why the latest unusable image was unusable, ever.
        failure: why a network failed, as long as no mask came after it.
        silence_s: seconds since the newest image, or since `restart_silence`.
    """

    totals: Totals
    masks_published: int
    frames_bad: int
    rate_hz: float
    processing_ms: tuple[float, float] | None
    regions: int
    last_bad_reason: str
    failure: str
    silence_s: float


@dataclass(slots=True, kw_only=True)
class _Open:
    """The window that is being filled."""

    started_ns: int
    processing_ns: list[int] = field(default_factory=list)
    frames_bad: int = 0


class FrameStatistics:
    """Counts frames; any thread may call any method."""

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Start at zero.

        Args:
            clock_ns: a steady clock.
        """
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._received = self._published = self._bad = self._failed = 0
        self._regions = 0
        self._last_bad_reason = self._failure = ''
        self._heard_ns = clock_ns()
        self._open = _Open(started_ns=self._heard_ns)

    def restart_silence(self) -> None:
        """Count the time without an image from now on."""
        with self._lock:
            self._heard_ns = self._clock_ns()

    def note_received(self) -> None:
        """An image has reached the node."""
        with self._lock:
            self._received += 1
            self._heard_ns = self._clock_ns()

    def note_published(self, *, processing_ns: int, regions: int) -> int:
        """A mask has been published.

        Args:
            processing_ns: from taking the image to having published the mask.
            regions: regions refined in it.

        Returns:
            How many masks have been published.
        """
        with self._lock:
            self._published += 1
            self._regions = regions
            self._failure = ''
            self._open.processing_ns.append(processing_ns)
            return self._published

    def note_bad(self, reason: str) -> None:
        """An image could not be used.

        Args:
            reason: why, one line.
        """
        with self._lock:
            self._bad += 1
            self._open.frames_bad += 1
            self._last_bad_reason = reason

    def note_failed(self, reason: str) -> None:
        """A network failed on an image.

        Args:
            reason: why, one line.
        """
        with self._lock:
            self._failed += 1
            self._failure = reason

    def read_window(self) -> Window:
        """Close the current window and open the next.

        Returns:
            The closed window.
        """
        with self._lock:
            now_ns = self._clock_ns()
            closed, self._open = self._open, _Open(started_ns=now_ns)
            duration_s = (now_ns - closed.started_ns) / _NS_PER_S
            masks = len(closed.processing_ns)
            processing_ms = None
            if masks:
                median, high = np.percentile(closed.processing_ns, (50, 95)) / 1e6
                processing_ms = (float(median), float(high))
            return Window(
                totals=Totals(
                    frames_received=self._received,
                    masks_published=self._published,
                    frames_bad=self._bad,
                    frames_failed=self._failed,
                ),
                masks_published=masks,
                frames_bad=closed.frames_bad,
                rate_hz=masks / duration_s if duration_s > 0 else 0.0,
                processing_ms=processing_ms,
                regions=self._regions,
                last_bad_reason=self._last_bad_reason,
                failure=self._failure,
                silence_s=(now_ns - self._heard_ns) / _NS_PER_S,
            )
