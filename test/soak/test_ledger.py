"""Tests of the books: what is missing shows, and what is there does not."""

from __future__ import annotations

import pytest

from stseg_ros.soak.ledger import GREETING, WARM_UP, Ledger, ReceivedMask, SentFrame

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


def test_ages_are_counted_in_times_between_images() -> None:
    ledger = Ledger()
    ledger.note_sent(sent(0, step=WARM_UP))
    ledger.note_sent(sent(1, frame_s=0.02))
    ledger.note_sent(sent(2, frame_s=0.01))
    ledger.note_sent(sent(3))
    for number, age_ns in enumerate([9_000_000, 70_000_000, 45_000_000, 9_000_000]):
        ledger.note_mask(mask(number, age_ns=age_ns))
    for number, processing_ms in enumerate([1.0, 40.0, 30.0]):
        ledger.note_timing(1_000 + number, processing_ms)
    first, second = ledger.ages(start_ns=30_000_000)
    assert (first.age_ms, first.processing_ms) == (70.0, 40.0)
    # 30 of 70 ms were not processing: one and a half of 20 ms; 15 of 45 ms, of 10 ms each.
    assert first.waited_frames == pytest.approx(1.5)
    assert second.waited_frames == pytest.approx(1.5)
    # Sent at 10 ms and received 70 ms later, where the schedule started at 30 ms.
    assert first.at_s == pytest.approx(0.05)
    assert ledger.processing_ms() == [1.0, 40.0, 30.0]
