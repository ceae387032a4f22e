"""Percentiles of values that are counted as they come, and not kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

# Neighbouring classes differ by a thousandth, so a percentile is off by half of that at most.
_RATIO = 1.001
_LEAST = 1e-3
_STEP = math.log(_RATIO)
_ZERO = -1


class Percentiles:
    """Counts values in classes of equal width on a logarithmic scale.

    However many values come, there are some 20,000 classes between a microsecond and an hour.
    """

    def __init__(self) -> None:
        """Start without values."""
        self._counts: Counter[int] = Counter()
        self._total = 0

    def __len__(self) -> int:
        """Return how many values have come."""
        return self._total

    def add(self, value: float) -> None:
        """Count a value.

        Args:
            value: what is below 0.001 counts as 0.
        """
        place = _ZERO if value < _LEAST else int(math.log(value / _LEAST) / _STEP)
        self._counts[place] += 1
        self._total += 1

    def at(self, shares: Sequence[float]) -> list[float]:
        """Return percentiles, between two values on a straight line, as NumPy does.

        Args:
            shares: in percent, ascending.

        Returns:
            One per share, within 0.05 % of the exact one; at least one value must have come.
        """
        assert self._total
        ordered = sorted(self._counts)
        found = []
        for share in shares:
            rank = share / 100.0 * (self._total - 1)
            low = self._ranked(ordered, math.floor(rank))
            high = self._ranked(ordered, math.ceil(rank))
            found.append(low + (high - low) * (rank - math.floor(rank)))
        return found

    def _ranked(self, ordered: Sequence[int], rank: int) -> float:
        """Return the value with so many smaller ones."""
        seen = 0
        for place in ordered:
            seen += self._counts[place]
            if rank < seen:
                break
        return 0.0 if place == _ZERO else float(_LEAST * math.exp((place + 0.5) * _STEP))
