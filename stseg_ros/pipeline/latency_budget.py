"""How many regions each frame may refine, so that its mask is published in time."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

from stseg_ros.pipeline.batch_costs import BatchCosts

if TYPE_CHECKING:
    from stseg_ros.records import FrameTiming

# What comes after the choice is taken to last no longer than in this share of the latest frames:
# of sixty that is the second longest, which the next frame exceeds with a chance of 2 / 61. So
# there is room for frames that nothing could save before 5 % are late.
WINDOW = 60
_FORESEEN_SHARE = 0.975

# The machine's speed is the median of so few frames, so that it follows a faster one in four; a
# slower one is followed in two.
_SPEED_FRAMES = 7
# After a change of the count, so many frames tell what this count costs beside the others.
_COMPARED_FRAMES = 4
_MOST_CORRECTED = 1.25
# The more often, the less a single comparison says.
_LEAST_TRUST = 0.05

_STEPS = tuple(Fraction(part) for part in ('1/32', '1/16', '1/8', '1/4', '3/8', '1/2', '3/4', '1'))


def budget_steps(most: int) -> tuple[int, ...]:
    """List the batch sizes that a budget chooses from.

    Eight at most: backends prepare each size, and the first regions gain the most, so that the
    steps may grow with the count.

    Args:
        most: the largest number of regions.

    Returns:
        All counts up to eight regions, else eight at most; ascending, without 0.
    """
    if most <= len(_STEPS):
        return tuple(range(1, most + 1))
    return tuple(sorted({round(most * part) for part in _STEPS} - {0}))


class LatencyBudget:
    """Chooses the number of regions from costs that it learns while frames pass.

    A frame's time has three parts: what has passed before the regions are chosen, which is known
    exactly, waiting for the network included; the refine network; and what comes after it. The
    refine network's time is taken as ``speed x cost[regions] + spike``. `cost` is a table by batch
    size: first as guessed, then as learned whenever the number of regions changes, for then frames
    of two sizes can be compared. `speed` is common to all sizes and follows the machine. What a
    single frame took beyond both is a spike, which would have hit it with any number of regions.

    A frame gets the most regions with which it ends in time unless spike and what comes after take
    longer than in the second longest of the latest `WINDOW` frames. That is an order statistic:
    without a word on how times are distributed, the next of exchangeable frames exceeds the j-th
    largest of n with a chance of j / (n + 1) (Wilks, "Determination of sample sizes for setting
    tolerance limits", Annals of Mathematical Statistics 1941). So a lone slow frame changes
    nothing, and one that the processor was taken away from before the choice gets fewer regions
    than the others, or none. What is learned of a frame does not depend on how many regions it
    got, so that the choice cannot swing.

    With no regions at all nothing is learned of the refine network: then one frame of every window
    tries the smallest batch, as soon as that is likely to be in time.

    All times are in ns of one steady clock. It belongs to one thread.

    Attributes:
        budget_ns: the longest time from a message's arrival to its published mask.
    """

    def __init__(self, budget_ns: float, costs_ns: Mapping[int, float]) -> None:
        """Start with all regions.

        Args:
            budget_ns: see `budget_ns`.
            costs_ns: the refine network's time by batch size, as first guess; at least one size.
        """
        self.budget_ns = budget_ns
        self._costs = BatchCosts(costs_ns)
        # What each frame took after the choice, but for the refine network's usual time.
        self._surplus_ns: deque[float] = deque(maxlen=WINDOW)
        self._reserve_ns = 0.0
        self._speeds: deque[float] = deque(maxlen=_SPEED_FRAMES)
        self._speed = 1.0
        self._elapsed_ns = 0
        self._most = 0
        self._steps: tuple[int, ...] = ()
        self._previous = 0
        self._compared = _COMPARED_FRAMES
        self._unrefined = 0
        self._compared_times: Counter[int] = Counter()

    def expect(self, costs_ns: Mapping[int, float]) -> None:
        """Take over first guesses of the refine network's time, such as for further batch sizes.

        Args:
            costs_ns: ns above 0 by batch size above 0.
        """
        self._costs.expect(costs_ns)

    def regions_for(self, elapsed_ns: int, most: int) -> int:
        """Choose the number of regions of one frame, once its coarse result is there.

        Args:
            elapsed_ns: time since the frame's message arrived.
            most: the most regions it may get.

        Returns:
            0 to `most`: 0, or one of ``budget_steps(most)``.
        """
        if most != self._most:
            self._most, self._steps = most, budget_steps(most)
        self._elapsed_ns = elapsed_ns
        left_ns = self.budget_ns - elapsed_ns - self._reserve_ns
        for count in reversed(self._steps):
            if self._speed * self._costs.of(count) <= left_ns:
                return count
        if self._steps and self._should_try(left_ns):
            return self._steps[0]
        return 0

    def learn(self, timing: FrameTiming, *, regions: int, total_ns: int) -> None:
        """Learn from a frame whose mask has been published.

        Args:
            timing: of the frame that `regions_for` was asked for last.
            regions: how many regions were refined; fewer than given where fewer were doubtful.
            total_ns: from its message's arrival to its published mask.
        """
        surplus_ns: float = total_ns - timing.refine_ns - self._elapsed_ns
        if regions:
            self._learn_speed(timing.refine_ns, regions)
            surplus_ns += timing.refine_ns - self._speed * self._costs.of(regions)
        else:
            self._unrefined += 1
        self._surplus_ns.append(surplus_ns)
        place = math.ceil(_FORESEEN_SHARE * len(self._surplus_ns)) - 1
        self._reserve_ns = sorted(self._surplus_ns)[place]

    def _should_try(self, left_ns: float) -> bool:
        """Whether one frame should refine the smallest batch, only to learn its cost anew."""
        windows, rest = divmod(self._unrefined, WINDOW)
        if not windows or rest:
            return False
        # The longer nothing was refined, the less the last speed says.
        hoped_ns = self._speed * self._costs.of(self._steps[0]) * 0.5**windows
        return hoped_ns <= left_ns

    def _learn_speed(self, refine_ns: int, regions: int) -> None:
        if self._unrefined >= WINDOW:
            self._speeds.clear()
        self._unrefined = 0
        if regions != self._previous:
            # The very first count has none to be compared with.
            self._compared = 0 if self._previous else _COMPARED_FRAMES
            self._previous = regions
        speed = refine_ns / self._costs.of(regions)
        if self._compared < _COMPARED_FRAMES and self._speeds:
            # Frames just before ran at another count on the same machine: a difference of the
            # speeds now is one of the table. Later the machine itself may have changed.
            off = speed / self._speed
            trust = max(1.0 / (2 + self._compared_times[regions]), _LEAST_TRUST)
            self._compared_times[regions] += 1
            correction = min(max(off, 1 / _MOST_CORRECTED), _MOST_CORRECTED) ** trust
            self._costs.learn(regions, self._costs.of(regions) * correction)
            speed /= correction
        self._compared += 1
        before = self._speeds[-1] if self._speeds else speed
        self._speeds.append(speed)
        # Two slow frames in a row are believed at once, a lone one is not.
        self._speed = max(median(self._speeds), min(speed, before))
