"""Tests of the books: what is missing shows, and what is there does not."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from stseg_ros.soak.ledger import (
    GREETING,
    WARM_UP,
    Ledger,
    NodeTiming,
    ReceivedMask,
    SentFrame,
)

NO_COUNTS = dict.fromkeys(
    (
        'frames_received',
        'masks_published',
        'frames_dropped',
        'frames_bad',
        'frames_failed',
        'frames_lost',
    ),
    '0',
)


def sent(number: int, *, step: int = 0, fault: str = '', frame_s: float = 0.02) -> SentFrame:
    """Make an image that was sent 10 ms after the one before."""
    return SentFrame(
        stamp_ns=1_000 + number,
        sent_ns=number * 10_000_000,
        size_hw=(72, 128),
        fault=fault,
        step=step,
        frame_s=frame_s,
    )


def mask(number: int, *, age_ns: int = 0, size_hw: tuple[int, int] = (72, 128)) -> ReceivedMask:
    received_ns = number * 10_000_000 + age_ns
    return ReceivedMask(stamp_ns=1_000 + number, received_ns=received_ns, size_hw=size_hw)


def test_images_are_masks_or_counted() -> None:
    ledger = Ledger()
    for number in range(10):
        ledger.note_sent(sent(number))
    assert ledger.balance().uncounted == 10
    for number in range(4):
        ledger.note_mask(mask(number))
    ledger.note_counts({**NO_COUNTS, 'frames_dropped': '2', 'frames_bad': '1'})
    assert ledger.balance().uncounted == 3
    counts = {'frames_dropped': '2', 'frames_bad': '1', 'frames_failed': '1', 'frames_lost': '2'}
    # What the node says of masks does not count: they have to come.
    ledger.note_counts({**NO_COUNTS, **counts, 'masks_published': '5', 'frames_received': '9'})
    balance = ledger.balance()
    assert (balance.published, balance.masks, balance.uncounted) == (10, 4, 0)


@pytest.mark.parametrize('mask_first', [False, True])
def test_a_greeting_counts_once_it_is_heard(mask_first: bool) -> None:
    ledger = Ledger()
    ledger.note_sent(sent(0, step=GREETING))
    assert ledger.balance().published == 0
    if mask_first:
        ledger.note_mask(mask(1))
        ledger.note_sent(sent(1, step=GREETING))
    else:
        ledger.note_sent(sent(1, step=GREETING))
        ledger.note_mask(mask(1))
    balance = ledger.balance()
    assert (balance.published, balance.masks, balance.uncounted) == (1, 1, 0)
    assert ledger.has_mask(1_001)
    assert not ledger.has_mask(1_000)


def test_masks_that_should_not_be_are_named() -> None:
    ledger = Ledger()
    for number, fault in enumerate(['', '', 'truncated', '']):
        ledger.note_sent(sent(number, fault=fault))
    ledger.note_mask(mask(0))
    assert not any(ledger.wrong_masks().values())
    ledger.note_mask(mask(1, size_hw=(72, 127)))
    ledger.note_mask(mask(2))
    ledger.note_mask(mask(3))
    ledger.note_mask(mask(3))
    ledger.note_mask(mask(99))
    assert ledger.wrong_masks() == {
        'repeated': 1,
        'of no image': 1,
        'of a bad image': 1,
        'of another size': 1,
    }
    assert ledger.faults() == {'truncated': 1}


def timing(number: int, processing_ms: float, **changes: Any) -> NodeTiming:
    """Say of an image that the node got it 4 ms after it was sent, and began 3 ms later."""
    received_ns = number * 10_000_000 + 4_000_000
    values = {'received_ns': received_ns, 'taking_ms': 1.0, 'waiting_ms': 3.0}
    return NodeTiming(processing_ms=processing_ms, **{**values, **changes})


def test_ages_are_counted_in_times_between_images() -> None:
    ledger = Ledger()
    ledger.start(30_000_000)
    ledger.note_sent(sent(0, step=WARM_UP))
    ledger.note_sent(sent(1, frame_s=0.02))
    ledger.note_sent(sent(2, frame_s=0.005))
    ledger.note_sent(sent(3))
    for number, age_ns in enumerate([9_000_000, 70_000_000, 45_000_000, 9_000_000]):
        ledger.note_mask(mask(number, age_ns=age_ns))
    assert len(ledger.ages) == 0
    for number, processing_ms in enumerate([1.0, 40.0, 30.0]):
        ledger.note_timing(1_000 + number, timing(number, processing_ms))
    # That of the warm-up does not count, and of the last one nothing was told.
    assert len(ledger.ages) == 2
    least, most = ledger.ages.waited_frames.at((0, 100))
    # 30 of 70 ms were not processing: one and a half of 20 ms; 15 of 45 ms: the camera sent its
    # images 10 ms apart, if 5 were planned.
    assert (least, most) == pytest.approx((1.5, 1.5), rel=6e-4)
    assert ledger.ages.waited_step_frames.at((0, 100)) == pytest.approx([1.5, 3.0], rel=6e-4)
    assert ledger.ages.age_ms.at((0, 100)) == pytest.approx([45.0, 70.0], rel=6e-4)
    legs_ms = {leg: found.at((100,))[0] for leg, found in ledger.ages.legs_ms.items()}
    assert legs_ms == pytest.approx(
        {
            'to_node': 3.0,
            'taking': 1.0,
            'waiting': 3.0,
            'processing': 40.0,
            # 70 ms, less 4 to the callback, 3 of waiting and 40 of processing.
            'to_listener': 23.0,
        },
        rel=6e-4,
    )
    # Received between 40 ms before the schedule and 60 ms after.
    assert [at_s for at_s, _ in ledger.ages.windows()] == [5.0]
    assert ledger.processing_ms.at((0, 50, 100)) == pytest.approx([1.0, 30.0, 40.0], rel=6e-4)


def test_a_mask_counts_once_the_next_image_is_known() -> None:
    ledger = Ledger()
    ledger.note_sent(sent(0, frame_s=0.01))
    ledger.note_mask(mask(0, age_ns=60_000_000))
    ledger.note_timing(1_000, timing(0, 20.0))
    assert len(ledger.ages) == 0
    ledger.note_sent(sent(4, step=WARM_UP))
    # Nothing came for 40 ms that the image could have made way for.
    assert ledger.ages.waited_frames_p99() == pytest.approx(1.0, rel=6e-4)
    assert ledger.ages.waited_step_frames_p99() == pytest.approx(4.0, rel=6e-4)


class PlainBooks:
    """The same arithmetic on all events at once, as simple as it can be."""

    def __init__(self, events: list[tuple[str, Any]]) -> None:
        of_kind = {
            kind: [it for name, it in events if name == kind]
            for kind in ('sent', 'mask', 'timing')
        }
        self.sent = {frame.stamp_ns: frame for frame in of_kind['sent']}
        self.masks: dict[int, ReceivedMask] = {}
        for found in of_kind['mask']:
            self.masks.setdefault(found.stamp_ns, found)
        self.repeated = len(of_kind['mask']) - len(self.masks)
        self.timings = dict(of_kind['timing'])

    def wrong(self) -> dict[str, int]:
        known = [(self.sent.get(stamp_ns), it) for stamp_ns, it in self.masks.items()]
        of_good = [(frame, it) for frame, it in known if frame and not frame.fault]
        return {
            'repeated': self.repeated,
            'of no image': sum(frame is None for frame, _ in known),
            'of a bad image': sum(bool(frame and frame.fault) for frame, _ in known),
            'of another size': sum(frame.size_hw != it.size_hw for frame, it in of_good),
        }

    def published(self) -> int:
        return sum(it.step != GREETING or it.stamp_ns in self.masks for it in self.sent.values())

    def waited(self) -> list[float]:
        ordered = sorted(self.sent.values(), key=lambda it: it.sent_ns)
        found = []
        for frame, after in itertools.pairwise(ordered):
            its_mask, its_timing = (of.get(frame.stamp_ns) for of in (self.masks, self.timings))
            if its_mask and its_timing and frame.step >= 0:
                waited_s = (its_mask.received_ns - frame.sent_ns) / 1e9
                waited_s -= its_timing.processing_ms / 1e3
                gap_s = max(frame.frame_s, (after.sent_ns - frame.sent_ns) / 1e9)
                found.append(waited_s / gap_s)
        return found


def make_events(images: int) -> list[tuple[str, Any]]:
    """Make events of a long soak, in the order in which they would be told."""
    rng = np.random.default_rng(3)
    told: list[tuple[int, str, Any]] = []
    now_ns = 10**12
    for number in range(images):
        now_ns += int(rng.integers(20, 60)) * 1_000_000
        frame = SentFrame(
            stamp_ns=5 * 10**12 + number,
            sent_ns=now_ns,
            size_hw=(72, 128),
            fault=str(rng.choice(['', '', '', '', 'truncated', 'no data'])),
            step=int(rng.choice([GREETING, WARM_UP, 0, 1, 2], p=[0.05, 0.05, 0.3, 0.3, 0.3])),
            frame_s=0.03,
        )
        # The camera tells of them twice a second, all since the last time.
        told.append((now_ns // 500_000_000 * 500_000_000 + 500_000_000, 'sent', frame))
        if rng.random() < (0.02 if frame.fault else 0.4):
            processing_ms = float(rng.uniform(20.0, 60.0))
            ready_ns = now_ns + int(rng.integers(70, 150)) * 1_000_000
            width = 128 if rng.random() < 0.99 else 127
            stamp_ns = frame.stamp_ns + (10**15 if rng.random() < 0.01 else 0)
            came = ReceivedMask(stamp_ns=stamp_ns, received_ns=ready_ns, size_hw=(72, width))
            told.extend([(ready_ns, 'mask', came)] * (1 + int(rng.random() < 0.01)))
            its_timing = NodeTiming(
                received_ns=now_ns, taking_ms=0.0, waiting_ms=1.0, processing_ms=processing_ms
            )
            told.append((ready_ns + 1_000_000, 'timing', (frame.stamp_ns, its_timing)))
    return [(kind, event) for _, kind, event in sorted(told, key=lambda it: it[0])]


def test_the_running_books_are_those_of_all_events_at_once() -> None:
    events = make_events(8_000)
    ledger, most_held = Ledger(), 0
    for kind, event in events:
        if kind == 'sent':
            ledger.note_sent(event)
        elif kind == 'mask':
            ledger.note_mask(event)
        else:
            ledger.note_timing(*event)
        most_held = max(most_held, len(ledger._images))
    plain = PlainBooks(events)
    assert ledger.wrong_masks() == plain.wrong()
    assert min(plain.wrong().values()) > 0
    assert ledger.masks == len(plain.masks)
    assert ledger.balance().published == plain.published()
    assert ledger.faults() == Counter(it.fault for it in plain.sent.values() if it.fault)
    waited = plain.waited()
    assert len(ledger.ages) == len(waited) > 1000
    assert ledger.ages.waited_frames_p99() == pytest.approx(np.percentile(waited, 99), rel=6e-4)
    worked = [it.processing_ms for it in plain.timings.values()]
    assert ledger.processing_ms.at((95,)) == pytest.approx([np.percentile(worked, 95)], rel=6e-4)
    # 320 s of images were sent; some two minutes of them are held.
    assert 2_000 < most_held < 4_500
