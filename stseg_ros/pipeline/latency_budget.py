"""How many regions each frame may refine, so that its mask is published in time."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stseg_ros.records import FrameTiming

# A count of regions is judged by the latest frames. It is too many where more than three of sixty,
# 5 %, would have been late, and is taken up again where at most one would have been, and that one
# with a budget 5 % smaller. The distance between the two keeps the count from swinging.
WINDOW = 60
_LATE_TO_LOWER = 4
_LATE_TO_RAISE = 1
_BUDGET_TO_RAISE = 0.95

# The machine's speed is the median of so few frames, so that it follows a change in four.
_SPEED_FRAMES = 7
# After a change of the count, so many frames tell what this count costs beside the others.
_COMPARED_FRAMES = 4
_MOST_CORRECTED = 1.25

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

    So each frame of the latest `WINDOW` tells when it would have ended with any other count, and a
    count fits where few enough of them would have been late. This is an order statistic: without a
    word on how times are distributed, the next of exchangeable frames exceeds the j-th largest of
    n with a chance of j / (n + 1) (Wilks, "Determination of sample sizes for setting tolerance
    limits", Annals of Mathematical Statistics 1941). Lone slow frames therefore change nothing,
    four slow ones lower the count at once, and it rises again once they have left the window.

    A frame that is late already when its regions are chosen gets fewer than the others, or none.
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
        assert costs_ns
        self.budget_ns = budget_ns
        self._guess_ns: dict[int, float] = {}
        self._learned_ns: dict[int, float] = {}
        self._cost_ns: dict[int, float] = {}
        self.expect(costs_ns)
        # Of each frame: all but the refine network's usual time, and the speed; the latter is None
        # where nothing was refined.
        self._frames: deque[tuple[float, float | None]] = deque(maxlen=WINDOW)
        self._speeds: deque[float] = deque(maxlen=_SPEED_FRAMES)
        self._speed = 1.0
        self._afters_ns: deque[int] = deque(maxlen=_SPEED_FRAMES)
        self._after_ns = 0.0
        self._elapsed_ns = 0
        self._most = self._level = 0
        self._steps: tuple[int, ...] = ()
        self._previous = 0
        self._compared = _COMPARED_FRAMES
        self._unrefined = 0

    @property
    def level(self) -> int:
        """The number of regions of a frame that has not been held up; 0 before the first."""
        return self._level

    def expect(self, costs_ns: Mapping[int, float]) -> None:
        """Take over first guesses of the refine network's time, such as for further batch sizes.

        Args:
            costs_ns: ns above 0 by batch size above 0.
        """
        assert all(count > 0 and cost > 0 for count, cost in costs_ns.items())
        self._guess_ns.update(costs_ns)
        self._complete_costs()

    def regions_for(self, elapsed_ns: int, most: int) -> int:
        """Choose the number of regions of one frame, once its coarse result is there.

        Args:
            elapsed_ns: time since the frame's message arrived.
            most: the most regions it may get.

        Returns:
            0 to `most`: 0, or one of ``budget_steps(most)``.
        """
        if most != self._most:
            self._change_most(most)
        self._elapsed_ns = elapsed_ns
        left_ns = self.budget_ns - elapsed_ns - self._after_ns
        if not self._level and self._steps and self._should_try(left_ns):
            return self._steps[0]
        for count in self._steps_down_from(self._level):
            if self._speed * self._cost(count) <= left_ns:
                return count
        return 0

    def learn(self, timing: FrameTiming, *, regions: int, total_ns: int) -> None:
        """Learn from a frame whose mask has been published.

        Args:
            timing: of the frame that `regions_for` was asked for last.
            regions: how many regions were refined; fewer than given where fewer were doubtful.
            total_ns: from its message's arrival to its published mask.
        """
        rest_ns = total_ns - timing.refine_ns
        self._afters_ns.append(rest_ns - self._elapsed_ns)
        self._after_ns = median(self._afters_ns)
        if regions:
            self._learn_speed(timing.refine_ns, regions)
            spike_ns = timing.refine_ns - self._speed * self._cost(regions)
            self._frames.append((rest_ns + spike_ns, self._speed))
        else:
            self._unrefined += 1
            self._frames.append((rest_ns, None))
        self._judge()

    def _change_most(self, most: int) -> None:
        at_the_top = self._level == self._most
        self._level = most if at_the_top else min(self._level, most)
        self._most = most
        self._steps = budget_steps(most)
        # A level between the new steps would be neither lowered nor raised rightly.
        self._level = max((count for count in self._steps if count <= self._level), default=0)

    def _should_try(self, left_ns: float) -> bool:
        """Whether one frame should refine the smallest batch, only to learn its cost anew."""
        windows, rest = divmod(self._unrefined, WINDOW)
        if not windows or rest:
            return False
        # The longer nothing was refined, the less the last speed says.
        hoped_ns = self._speed * self._cost(self._steps[0]) * 0.5**windows
        return hoped_ns <= left_ns

    def _learn_speed(self, refine_ns: int, regions: int) -> None:
        if self._unrefined >= WINDOW:
            self._speeds.clear()
        self._unrefined = 0
        if regions != self._previous:
            # The very first count has none to be compared with.
            self._compared = 0 if self._previous else _COMPARED_FRAMES
            self._previous = regions
        speed = refine_ns / self._cost(regions)
        if self._compared < _COMPARED_FRAMES and self._speeds:
            # Frames just before ran at another count on the same machine: a difference of the
            # speeds now is one of the table. Later the machine itself may have changed.
            off = speed / self._speed
            correction = min(max(off, 1 / _MOST_CORRECTED), _MOST_CORRECTED) ** 0.5
            self._learned_ns[regions] = self._cost(regions) * correction
            self._complete_costs()
            speed /= correction
        self._compared += 1
        self._speeds.append(speed)
        self._speed = median(self._speeds)

    def _judge(self) -> None:
        """Lower or raise the level by what the latest frames say."""
        if self._level and self._late(self._level, self.budget_ns) >= _LATE_TO_LOWER:
            below = (
                count
                for count in self._steps_down_from(self._level - 1)
                if self._late(count, self.budget_ns) < _LATE_TO_LOWER
            )
            self._level = next(below, 0)
            return
        above = bisect_right(self._steps, self._level)
        for count in self._steps[above:]:
            if self._late(count, _BUDGET_TO_RAISE * self.budget_ns) > _LATE_TO_RAISE:
                break
            self._level = count

    def _late(self, count: int, budget_ns: float) -> int:
        """Count the latest frames that would have been late with so many regions."""
        cost_ns = self._cost(count)
        # Where nothing was refined, the speed is what is known of it by now.
        unknown = self._speed * cost_ns
        return sum(
            [
                rest_ns + (unknown if speed is None else speed * cost_ns) > budget_ns
                for rest_ns, speed in self._frames
            ]
        )

    def _complete_costs(self) -> None:
        """Make one table of what was learned and what was guessed.

        A guess was measured on a machine that may have been busy just then. It is held to what
        goes for every network: a larger batch takes no less time, and no more for each region.
        What was learned stands as it is.
        """
        costs_ns = {**self._guess_ns, **self._learned_ns}
        sizes = sorted(costs_ns)
        each_ns = float('inf')
        for size in sizes:
            if size not in self._learned_ns:
                costs_ns[size] = min(costs_ns[size], size * each_ns)
            each_ns = costs_ns[size] / size
        larger_ns = float('inf')
        for size in reversed(sizes):
            if size not in self._learned_ns:
                costs_ns[size] = min(costs_ns[size], larger_ns)
            larger_ns = costs_ns[size]
        self._cost_ns = costs_ns

    def _cost(self, count: int) -> float:
        """Look a batch's cost up; a size that is not in the table lies between its neighbours."""
        known_ns = self._cost_ns.get(count)
        if known_ns is not None:
            return known_ns
        sizes = sorted(self._cost_ns)
        place = bisect_right(sizes, count)
        if place in (0, len(sizes)):
            nearest = sizes[0] if place == 0 else sizes[-1]
            return self._cost_ns[nearest] * count / nearest
        low, high = sizes[place - 1], sizes[place]
        low_ns, high_ns = self._cost_ns[low], self._cost_ns[high]
        return low_ns + (high_ns - low_ns) * (count - low) / (high - low)

    def _steps_down_from(self, count: int) -> Iterator[int]:
        return (step for step in reversed(self._steps) if step <= count)
