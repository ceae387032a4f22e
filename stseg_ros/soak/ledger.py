"""The books of a soak: every image that was sent, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

# What the node counts, by its keys on /diagnostics. An image that it has counted so has no mask.
DROPPED, BAD, FAILED, LOST = 'frames_dropped', 'frames_bad', 'frames_failed', 'frames_lost'
EXCUSES = (DROPPED, BAD, FAILED, LOST)
COUNTED = ('frames_received', 'masks_published', *EXCUSES)
# How images are sent before their schedule starts: to be heard at all, and to warm up.
GREETING, WARM_UP = -2, -1
_NS_PER_MS = 1e6
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFrame:
    """An image that the camera has published.

    Attributes:
        stamp_ns: its stamp; no two have the same.
        sent_ns: CLOCK_MONOTONIC time just before it was published.
        size_hw: its rows and columns.
        fault: how it was spoiled; empty for a good one.
        step: index of the step of the schedule, or `GREETING` or `WARM_UP`.
        frame_s: time between two images of this step.
    """

    stamp_ns: int
    sent_ns: int
    size_hw: tuple[int, int]
    fault: str
    step: int
    frame_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMask:
    """A mask that came.

    Attributes:
        stamp_ns: its stamp.
        received_ns: CLOCK_MONOTONIC time when it was there.
        size_hw: its rows and columns.
    """

    stamp_ns: int
    received_ns: int
    size_hw: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The books at one moment.

    Attributes:
        published: images that the camera has sent, without greetings that nobody heard.
        masks: masks that came.
        counts: what the node has counted, by the names in `COUNTED`.
    """

    published: int
    masks: int
    counts: Mapping[str, int]

    @property
    def uncounted(self) -> int:
        """Images that are neither a mask nor counted; 0 in the end, unless the node errs."""
        return self.published - self.masks - sum(self.counts[name] for name in EXCUSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskAge:
    """How old a mask of the schedule was when it came.

    Attributes:
        at_s: time since the start of the schedule.
        age_ms: from the image's stamp to the mask.
        processing_ms: the part of it that the node worked on it, decoding to publishing.
        waited_frames: the rest of it, transport and waiting, in times between two images.
    """

    at_s: float
    age_ms: float
    processing_ms: float
    waited_frames: float


class Ledger:
    """Collects what camera, node and listener say."""

    def __init__(self) -> None:
        """Start empty."""
        self._sent: dict[int, SentFrame] = {}
        self._masks: dict[int, ReceivedMask] = {}
        self._repeated = 0
        self._processing_ms: dict[int, float] = {}
        self._counts = dict.fromkeys(COUNTED, 0)
        self._published = 0

    def note_sent(self, frame: SentFrame) -> None:
        """The camera says that it has sent an image; its mask may have come already."""
        self._sent[frame.stamp_ns] = frame
        if frame.step != GREETING or frame.stamp_ns in self._masks:
            self._published += 1

    def note_mask(self, mask: ReceivedMask) -> None:
        """A mask has come."""
        if mask.stamp_ns in self._masks:
            self._repeated += 1
            return
        self._masks[mask.stamp_ns] = mask
        sent = self._sent.get(mask.stamp_ns)
        if sent is not None and sent.step == GREETING:
            self._published += 1

    def note_timing(self, stamp_ns: int, processing_ms: float) -> None:
        """The node says how long it worked on an image."""
        self._processing_ms[stamp_ns] = processing_ms

    def note_counts(self, summary: Mapping[str, str]) -> None:
        """The node says on /diagnostics what it has counted so far."""
        self._counts = {name: int(summary[name]) for name in COUNTED}

    @property
    def masks(self) -> int:
        """How many masks have come."""
        return len(self._masks)

    def has_mask(self, stamp_ns: int) -> bool:
        """Whether the mask of an image has come."""
        return stamp_ns in self._masks

    def balance(self) -> Balance:
        """Sum up."""
        return Balance(
            published=self._published, masks=len(self._masks), counts=dict(self._counts)
        )

    def faults(self) -> dict[str, int]:
        """Count the spoiled images that were sent, by what was done to them."""
        return dict(Counter(frame.fault for frame in self._sent.values() if frame.fault))

    def wrong_masks(self) -> dict[str, int]:
        """Count the masks that should not be: each should answer one good image in its size."""
        wrong = {'repeated': self._repeated, 'of no image': 0, 'of a bad image': 0}
        wrong['of another size'] = 0
        for mask in self._masks.values():
            sent = self._sent.get(mask.stamp_ns)
            if sent is None:
                wrong['of no image'] += 1
            elif sent.fault:
                wrong['of a bad image'] += 1
            elif sent.size_hw != mask.size_hw:
                wrong['of another size'] += 1
        return wrong

    def processing_ms(self) -> list[float]:
        """List how long the node worked on each image."""
        return list(self._processing_ms.values())

    def ages(self, start_ns: int) -> list[MaskAge]:
        """Compare each mask of the schedule with its image.

        Args:
            start_ns: CLOCK_MONOTONIC time at which the schedule started.

        Returns:
            One entry per mask whose timing came too, in the order of their coming.
        """
        found = []
        for mask in self._masks.values():
            sent = self._sent.get(mask.stamp_ns)
            processing_ms = self._processing_ms.get(mask.stamp_ns)
            if sent is None or sent.step < 0 or processing_ms is None:
                continue
            age_ns = mask.received_ns - sent.sent_ns
            waited_s = max(0.0, age_ns / _NS_PER_S - processing_ms / 1e3)
            found.append(
                MaskAge(
                    at_s=(mask.received_ns - start_ns) / _NS_PER_S,
                    age_ms=age_ns / _NS_PER_MS,
                    processing_ms=processing_ms,
                    waited_frames=waited_s / sent.frame_s,
                )
            )
        return found
