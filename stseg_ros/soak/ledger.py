"""The books of a soak: every image that was sent, and what became of it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from stseg_ros.soak.mask_ages import MaskAge, MaskAges
from stseg_ros.soak.percentiles import Percentiles

# What the node counts, by its keys on /diagnostics. An image that it has counted so has no mask.
DROPPED, BAD, FAILED, LOST = 'frames_dropped', 'frames_bad', 'frames_failed', 'frames_lost'
EXCUSES = (DROPPED, BAD, FAILED, LOST)
COUNTED = ('frames_received', 'masks_published', *EXCUSES)
# How images are sent before their schedule starts: to be heard at all, and to warm up.
GREETING, WARM_UP = -2, -1
_NS_PER_MS = 1e6
_NS_PER_S = 1e9
_MS_PER_S = 1e3
# What was sent longer ago is forgotten. What it became was told within seconds: the node keeps
# no image longer, and the camera tells what it sends twice a second.
_KEPT_NS = 120 * 1_000_000_000


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
class NodeTiming:
    """What the node says of an image.

    Attributes:
        received_ns: CLOCK_MONOTONIC time when its callback got it.
        taking_ms: from the middleware's having it to then; 0 where the middleware does not tell.
        waiting_ms: from then until the node began to work on it.
        processing_ms: the work on it, decoding to publishing.
    """

    received_ns: int
    taking_ms: float
    waiting_ms: float
    processing_ms: float


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


@dataclass(slots=True, kw_only=True)
class _Image:
    """What is known of an image so far; camera, node and listener speak in any order."""

    sent: SentFrame | None = None
    mask: ReceivedMask | None = None
    timing: NodeTiming | None = None
    next_sent_ns: int | None = None


class Ledger:
    """Collects what camera, node and listener say; it holds the images of the last minutes.

    Attributes:
        ages: how old the masks of the schedule were.
        processing_ms: how long the node worked on each image.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.ages = MaskAges()
        self.processing_ms = Percentiles()
        # In the order in which they were first spoken of.
        self._images: OrderedDict[int, _Image] = OrderedDict()
        self._faults: Counter[str] = Counter()
        self._wrong = dict.fromkeys(
            ('repeated', 'of no image', 'of a bad image', 'of another size'), 0
        )
        self._counts: Mapping[str, int] = dict.fromkeys(COUNTED, 0)
        self._published = 0
        self._masks = 0
        self._start_ns = 0
        self._latest: _Image | None = None

    @property
    def masks(self) -> int:
        """How many masks have come."""
        return self._masks

    def start(self, start_ns: int) -> None:
        """The schedule starts.

        Args:
            start_ns: CLOCK_MONOTONIC time.
        """
        self._start_ns = start_ns

    def note_sent(self, frame: SentFrame) -> None:
        """The camera says that it has sent an image; its mask may have come already."""
        image = self._image(frame.stamp_ns)
        image.sent = frame
        if frame.fault:
            self._faults[frame.fault] += 1
        if frame.step != GREETING or image.mask is not None:
            self._published += 1
        self._check_mask(image)
        if self._latest is not None:
            self._latest.next_sent_ns = frame.sent_ns
            self._enter_age(self._latest)
        self._latest = image
        self._forget(frame.sent_ns - _KEPT_NS)

    def note_mask(self, mask: ReceivedMask) -> None:
        """A mask has come."""
        image = self._image(mask.stamp_ns)
        if image.mask is not None:
            self._wrong['repeated'] += 1
            return
        image.mask = mask
        self._masks += 1
        if image.sent is not None and image.sent.step == GREETING:
            self._published += 1
        self._check_mask(image)
        self._enter_age(image)

    def note_timing(self, stamp_ns: int, timing: NodeTiming) -> None:
        """The node says where an image's time went."""
        image = self._image(stamp_ns)
        if image.timing is None:
            image.timing = timing
            self.processing_ms.add(timing.processing_ms)
            self._enter_age(image)

    def note_counts(self, summary: Mapping[str, str]) -> None:
        """The node says on /diagnostics what it has counted so far."""
        self._counts = {name: int(summary[name]) for name in COUNTED}

    def has_mask(self, stamp_ns: int) -> bool:
        """Whether the mask of an image has come, of those of the last minutes."""
        image = self._images.get(stamp_ns)
        return image is not None and image.mask is not None

    def balance(self) -> Balance:
        """Sum up."""
        return Balance(published=self._published, masks=self._masks, counts=self._counts)

    def faults(self) -> dict[str, int]:
        """Count the spoiled images that were sent, by what was done to them."""
        return dict(self._faults)

    def wrong_masks(self) -> dict[str, int]:
        """Count the masks that should not be: each should answer one good image in its size."""
        orphans = sum(_is_orphan(image) for image in self._images.values())
        return {**self._wrong, 'of no image': self._wrong['of no image'] + orphans}

    def _image(self, stamp_ns: int) -> _Image:
        return self._images.setdefault(stamp_ns, _Image())

    def _check_mask(self, image: _Image) -> None:
        """Look for what is wrong with a mask, once it and its image are known."""
        if image.sent is None or image.mask is None:
            return
        if image.sent.fault:
            self._wrong['of a bad image'] += 1
        elif image.sent.size_hw != image.mask.size_hw:
            self._wrong['of another size'] += 1

    def _enter_age(self, image: _Image) -> None:
        """Enter the age of a mask of the schedule, once all have spoken of it and the next."""
        sent, mask, timing, next_ns = image.sent, image.mask, image.timing, image.next_sent_ns
        if sent is None or mask is None or timing is None or next_ns is None or sent.step < 0:
            return
        step_frame_ms = sent.frame_s * _MS_PER_S
        to_callback_ms = (timing.received_ns - sent.sent_ns) / _NS_PER_MS
        in_node_ms = timing.waiting_ms + timing.processing_ms
        age_ms = (mask.received_ns - sent.sent_ns) / _NS_PER_MS
        self.ages.add(
            MaskAge(
                at_s=(mask.received_ns - self._start_ns) / _NS_PER_S,
                to_node_ms=to_callback_ms - timing.taking_ms,
                taking_ms=timing.taking_ms,
                waiting_ms=timing.waiting_ms,
                processing_ms=timing.processing_ms,
                to_listener_ms=age_ms - to_callback_ms - in_node_ms,
                frame_ms=max(step_frame_ms, (next_ns - sent.sent_ns) / _NS_PER_MS),
                step_frame_ms=step_frame_ms,
            )
        )

    def _forget(self, before_ns: int) -> None:
        """Forget the images that were spoken of before a time."""
        while self._images:
            stamp_ns, image = next(iter(self._images.items()))
            if _latest_ns(image) >= before_ns:
                return
            del self._images[stamp_ns]
            self._wrong['of no image'] += _is_orphan(image)


def _is_orphan(image: _Image) -> bool:
    return image.mask is not None and image.sent is None


def _latest_ns(image: _Image) -> int:
    times_ns = (
        0 if image.sent is None else image.sent.sent_ns,
        0 if image.mask is None else image.mask.received_ns,
        0 if image.timing is None else image.timing.received_ns,
    )
    return max(times_ns)
