"""What a network's batches cost by their size, from guesses and from what was learned."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping


class BatchCosts:
    """A table of times by batch size, in any unit that goes with a factor common to all sizes.

    A guess was measured on a machine that may have been busy just then. It is held to what goes
    for every network: a larger batch takes no less time, and no more for each item. What was
    learned stands as it is.
    """

    def __init__(self, guesses: Mapping[int, float]) -> None:
        """Start with guesses.

        Args:
            guesses: time above 0 by batch size above 0; at least one.
        """
        assert guesses
        self._guesses: dict[int, float] = {}
        self._learned: dict[int, float] = {}
        self._table: dict[int, float] = {}
        self.expect(guesses)

    def expect(self, guesses: Mapping[int, float]) -> None:
        """Take over further guesses, or others.

        Args:
            guesses: time above 0 by batch size above 0.
        """
        assert all(size > 0 and cost > 0 for size, cost in guesses.items())
        self._guesses.update(guesses)
        self._complete()

    def learn(self, size: int, cost: float) -> None:
        """Take over what a batch size costs indeed.

        Args:
            size: the batch size.
            cost: its time.
        """
        self._learned[size] = cost
        self._complete()

    def of(self, size: int) -> float:
        """Look a cost up; a size that is not in the table lies between its neighbours.

        Args:
            size: a batch size above 0.

        Returns:
            Its time.
        """
        known = self._table.get(size)
        if known is not None:
            return known
        sizes = sorted(self._table)
        place = bisect_right(sizes, size)
        if place in (0, len(sizes)):
            nearest = sizes[0] if place == 0 else sizes[-1]
            return self._table[nearest] * size / nearest
        low, high = sizes[place - 1], sizes[place]
        share = (size - low) / (high - low)
        return self._table[low] + (self._table[high] - self._table[low]) * share

    def _complete(self) -> None:
        """Make one table of what was learned and what was guessed."""
        table = {**self._guesses, **self._learned}
        sizes = sorted(table)
        each = float('inf')
        for size in sizes:
            if size not in self._learned:
                table[size] = min(table[size], size * each)
            each = table[size] / size
        larger = float('inf')
        for size in reversed(sizes):
            if size not in self._learned:
                table[size] = min(table[size], larger)
            larger = table[size]
        self._table = table
