"""What the node held over time, and whether it held more and more."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from stseg_ros.soak.ledger import Balance
from stseg_ros.soak.process_usage import Usage
from stseg_ros.soak.schedule import CYCLE_S

_PERIOD_S = 1.0
_SETTLING_S = 300.0
_SETTLING_SHARE = 1 / 6
_S_PER_MIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The node and the books at one moment.

    Attributes:
        at_s: when; see `Sampler.since`.
        usage: what the node held.
        balance: the books.
        cores: processors that it kept busy since the sample before.
    """

    at_s: float
    usage: Usage
    balance: Balance
    cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a value moved between the settling time and the end.

    Attributes:
        first: its median in the first window after the settling time.
        last: its median in the last window.
        peak_before: the most until the end of the first window, within one cycle of the schedule.
        peak_after: the most from then on.
        per_minute: slope of the straight line through all values after the settling time.
    """

    first: float
    last: float
    peak_before: float
    peak_after: float
    per_minute: float

    @property
    def grown(self) -> float:
        """From the first window to the last one.

        Both are a whole cycle of the schedule where there is time for it, and the middle of it is
        taken: what is held for a large image while it is there is no growth.
        """
        return self.last - self.first


class Sampler:
    """Reads the node's usage once a second."""

    def __init__(
        self,
        read: Callable[[], Usage | None],
        balance: Callable[[], Balance],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            read: gives the usage; None when the node has ended.
            balance: gives the books.
            clock_s: a steady clock.
        """
        self._samples: list[Sample] = []
        self._read = read
        self._balance = balance
        self._clock_s = clock_s

    def sample_if_due(self) -> None:
        """Take a sample when the latest is a second old."""
        now_s = self._clock_s()
        before = self._samples[-1] if self._samples else None
        if before is not None and now_s - before.at_s < _PERIOD_S:
            return
        usage = self._read()
        if usage is None:
            return
        cores = 0.0
        if before is not None:
            cores = (usage.cpu_s - before.usage.cpu_s) / (now_s - before.at_s)
        self._samples.append(Sample(at_s=now_s, usage=usage, balance=self._balance(), cores=cores))

    def since(self, start_s: float) -> list[Sample]:
        """Return the samples, their times counted from a time of the clock.

        Args:
            start_s: that time; samples before it have negative times.
        """
        return [dataclasses.replace(it, at_s=it.at_s - start_s) for it in self._samples]


def settling_s(seconds: float) -> float:
    """Return how long a soak of a length may take to settle: 5 minutes, or a sixth if shorter."""
    return min(_SETTLING_S, _SETTLING_SHARE * seconds)


def growth(
    samples: Sequence[Sample], value: Callable[[Usage], float], seconds: float
) -> Growth | None:
    """Compare the end of a soak with its beginning after the settling time.

    Args:
        samples: in the order of their times, with those of the warm-up, which has each kind of
            image once.
        value: what of them.
        seconds: how long the soak was.

    Returns:
        How it moved; None where the soak was too short to tell.
    """
    start_s = settling_s(seconds)
    # As long as a cycle of the schedule, where the soak has room for it.
    window_s = min(CYCLE_S, _SETTLING_SHARE * seconds)
    split_s = start_s + window_s
    values = [(it.at_s, value(it.usage)) for it in samples]
    settled = [(at_s, found) for at_s, found in values if at_s >= start_s]
    first = [found for at_s, found in settled if at_s <= split_s]
    last = [found for at_s, found in settled if at_s >= seconds - window_s]
    after = [found for at_s, found in settled if at_s > split_s]
    if not first or not last or not after:
        return None
    times_s, found_then = zip(*settled, strict=True)
    slope = float(np.polyfit(times_s, found_then, 1)[0])
    return Growth(
        first=median(first),
        last=median(last),
        peak_before=max(found for at_s, found in values if split_s - CYCLE_S <= at_s <= split_s),
        peak_after=max(after),
        per_minute=slope * _S_PER_MIN,
    )
