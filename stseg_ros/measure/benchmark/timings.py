"""Quantiles of times, and ratios of times with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

RESAMPLES = 2000
CONFIDENCE = 0.95

_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of two times.

    Attributes:
        value: the ratio of the medians.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


def quantiles_ms(times_ns: Int64Array) -> dict[str, float]:
    """Take the usual quantiles.

    Args:
        times_ns: one or more times of any shape, ns.

    Returns:
        p50, p95 and p99 in ms, interpolated linearly between neighbours.
    """
    p50, p95, p99 = (np.percentile(times_ns, (50, 95, 99)) / _NS_PER_MS).tolist()
    return {'p50': round(p50, 4), 'p95': round(p95, 4), 'p99': round(p99, 4)}


def ratio_of_medians(
    numerator_ns: Int64Array, denominator_ns: Int64Array, *, seed: int = 0
) -> Ratio:
    """Compare two series of times that were measured in turn.

    The interval is a percentile bootstrap over rounds: a round that is drawn brings the times of
    both sides, so that what slowed the machine in a round slows both, and the frames of a round,
    which are not independent of each other, stay together.

    Args:
        numerator_ns: (rounds, frames) times, ns.
        denominator_ns: as many rounds, above 0.
        seed: of the draws.

    Returns:
        The ratio of the medians over all rounds, with its 95 % interval.
    """
    rounds = len(numerator_ns)
    assert len(denominator_ns) == rounds
    drawn = np.random.default_rng(seed).integers(0, rounds, (RESAMPLES, rounds))
    ratios = _medians(numerator_ns[drawn]) / _medians(denominator_ns[drawn])
    tail = 100.0 * (1.0 - CONFIDENCE) / 2.0
    low, high = np.percentile(ratios, (tail, 100.0 - tail)).tolist()
    value = float(np.median(numerator_ns) / np.median(denominator_ns))
    return Ratio(value=value, low=low, high=high)


def _medians(times_ns: Int64Array) -> npt.NDArray[np.float64]:
    """Take the median of each resampling: (resamples, rounds, frames) to (resamples,)."""
    return np.asarray(np.median(times_ns.reshape(len(times_ns), -1), axis=1), np.float64)
