"""One image and what came back for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stseg_ros.records import UInt8Array

_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A mask that came back.

    Attributes:
        received_ns: CLOCK_MONOTONIC when it had arrived.
        mask_bits: (H, ceil(W / 8)) uint8, a bit per pixel as `numpy.packbits` lays them.
        width: W, in pixels.
    """

    received_ns: int
    mask_bits: UInt8Array
    width: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exchange:
    """One published image.

    Attributes:
        image: its number, counted from the start of the stream.
        published_ns: CLOCK_MONOTONIC just before it was published.
        answer: what came back; None where nothing did.
        timing: the values of its `frame_timing` by key; empty where none came.
    """

    image: int
    published_ns: int
    answer: Answer | None
    timing: Mapping[str, float]

    @property
    def received_ns(self) -> int | None:
        """When its mask had arrived, or None."""
        return None if self.answer is None else self.answer.received_ns

    @property
    def age_ms(self) -> float:
        """From just before publishing to the mask's arrival, in ms; only where one came."""
        assert self.answer is not None
        return (self.answer.received_ns - self.published_ns) / _NS_PER_MS


def join(
    stamps_ns: Sequence[int],
    published_ns: Sequence[int],
    answers: Mapping[int, Answer],
    timings: Mapping[int, Mapping[str, float]],
    first: int = 0,
) -> list[Exchange]:
    """Put together what was published and what came back, by stamp.

    Args:
        stamps_ns: stamps of the published images, in order.
        published_ns: when each was published.
        answers: the masks that came, by stamp.
        timings: the timings that came, by stamp.
        first: number of the first image.

    Returns:
        One record per published image, in order.
    """
    return [
        Exchange(
            image=first + number,
            published_ns=sent_ns,
            answer=answers.get(stamp_ns),
            timing=timings.get(stamp_ns, {}),
        )
        for number, (stamp_ns, sent_ns) in enumerate(zip(stamps_ns, published_ns, strict=True))
    ]


def unpack_mask(answer: Answer) -> UInt8Array:
    """Return a mask as (H, W) uint8 of 0 and 1.

    Args:
        answer: the packed mask.
    """
    return np.asarray(np.unpackbits(answer.mask_bits, axis=1, count=answer.width), np.uint8)
