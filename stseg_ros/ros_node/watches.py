"""What is watched while images come: their stamps, the clock, and whether they are too many."""

from __future__ import annotations

import threading
from dataclasses import dataclass

_NS_PER_S = 1_000_000_000
_DAY_NS = 86_400 * _NS_PER_S

# A system clock that is slewed gains far less than this between two looks at it.
_CLOCK_SET_NS = _NS_PER_S // 2

_OVERLOAD_SHARE = 0.1
_OVERLOAD_WINDOWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a user of the node should know of.

    Attributes:
        key: its stable key on /diagnostics.
        text: what is amiss and what to do, one line.
        kind: the same for all findings that differ by nothing but numbers, to log them seldom.
        warn: whether it is worth a warning; else it is only told.
    """

    key: str
    text: str
    kind: str
    warn: bool = True


@dataclass(slots=True, kw_only=True)
class _Stamps:
    """What was seen between two calls of `StampWatch.read`; ages in ns."""

    images: int = 0
    zero: int = 0
    equal: int = 0
    backward: int = 0
    furthest_back: int = 0
    nearest_age: int | None = None


class StampWatch:
    """Watches the images' stamps; any thread may call any method."""

    KEY = 'stamps'

    def __init__(self) -> None:
        """Start with none seen."""
        self._lock = threading.Lock()
        self._backward_total = 0
        self._previous_ns: int | None = None
        self._seen = _Stamps()

    @property
    def backward_total(self) -> int:
        """How many images bore an older stamp than the image before."""
        with self._lock:
            return self._backward_total

    def restart(self) -> None:
        """Compare the next stamp with none before it."""
        with self._lock:
            self._previous_ns = None
            self._seen = _Stamps()

    def note(self, stamp_ns: int, now_ns: int) -> None:
        """An image has come.

        Args:
            stamp_ns: its stamp.
            now_ns: the node's time.
        """
        with self._lock:
            seen = self._seen
            seen.images += 1
            if not stamp_ns:
                seen.zero += 1
                return
            back_ns = 0 if self._previous_ns is None else self._previous_ns - stamp_ns
            if stamp_ns == self._previous_ns:
                seen.equal += 1
            elif back_ns > 0:
                self._backward_total += 1
                seen.backward += 1
                seen.furthest_back = max(seen.furthest_back, back_ns)
            self._previous_ns = stamp_ns
            age_ns = now_ns - stamp_ns
            if seen.nearest_age is None or abs(age_ns) < abs(seen.nearest_age):
                seen.nearest_age = age_ns

    def read(self, limit_s: float) -> Finding | None:
        """Judge the stamps since the last call.

        Args:
            limit_s: the most seconds that all of them may be away from the node's time; 0 allows
                any.
        """
        with self._lock:
            seen, self._seen = self._seen, _Stamps()
        if seen.zero:
            return self._finding(
                f'{seen.zero} of {seen.images} images bear no stamp: the camera driver must set '
                'it, for masks are matched to images by it',
                'zero',
            )
        if seen.backward:
            return self._finding(
                f'the stamps of {seen.backward} of {seen.images} images went back, by up to '
                f'{seen.furthest_back / _NS_PER_S:.3f} s: a bag that starts over, or two '
                'publishers on one topic',
                'backward',
            )
        if seen.equal:
            return self._finding(
                f'{seen.equal} of {seen.images} images bear the stamp of the image before: the '
                'camera driver must stamp each, for masks are matched to images by it',
                'equal',
            )
        age_ns = seen.nearest_age
        if age_ns is None or not limit_s or abs(age_ns) <= limit_s * _NS_PER_S:
            return None
        return self._away(age_ns)

    def _away(self, age_ns: int) -> Finding:
        side = 'behind' if age_ns > 0 else 'ahead of'
        if abs(age_ns) > _DAY_NS:
            # Most often a bag, and then all is well but for whoever asks for transforms.
            return self._finding(
                f"stamps are {abs(age_ns) / _DAY_NS:.0f} days {side} the node's clock: for a bag, "
                'play it with --clock and start nodes with use_sim_time:=true; for a camera, let '
                'its driver stamp with the system time',
                f'days {side}',
                warn=False,
            )
        return self._finding(
            f"stamps are {abs(age_ns) / _NS_PER_S:.1f} s {side} the node's clock: a driver or "
            'network that holds images back, or clocks that are not synchronised (PTP, chrony)',
            side,
        )

    def _finding(self, text: str, kind: str, *, warn: bool = True) -> Finding:
        return Finding(key=self.KEY, text=text, kind=kind, warn=warn)


class ClockWatch:
    """Watches the node's clock; it belongs to one thread."""

    KEY = 'clock'

    def __init__(self) -> None:
        """Start with no time read."""
        self._previous: tuple[int, int, bool] | None = None
        self.jumps_total = 0

    def read(self, now_ns: int, steady_ns: int, *, simulated: bool) -> Finding | None:
        """Judge the clock since the last call.

        Args:
            now_ns: the node's time.
            steady_ns: time of a clock that nobody sets and that counts sleep.
            simulated: whether the node's time comes from /clock.
        """
        before, self._previous = self._previous, (now_ns, steady_ns, simulated)
        if simulated and not now_ns:
            return Finding(
                key=self.KEY,
                text='use_sim_time is true but nothing publishes /clock: play the bag with '
                '--clock, or set use_sim_time to false',
                kind='no clock',
            )
        if before is None or before[2] != simulated or not before[0]:
            return None
        passed_ns = now_ns - before[0]
        if simulated:
            # A bag may be played at any rate, so that only its start over can be told.
            if passed_ns >= 0:
                return None
            self.jumps_total += 1
            text = f'the time of /clock went back by {-passed_ns / _NS_PER_S:.1f} s: the bag '
            return Finding(key=self.KEY, text=text + 'started over', kind='started over')
        jumped_ns = passed_ns - (steady_ns - before[1])
        if abs(jumped_ns) < _CLOCK_SET_NS:
            return None
        self.jumps_total += 1
        side = 'forward' if jumped_ns > 0 else 'back'
        text = f'the system clock was set {side} by {abs(jumped_ns) / _NS_PER_S:.1f} s'
        return Finding(key=self.KEY, text=text, kind=side)


class OverloadWatch:
    """Watches whether images come faster than they can be served; it belongs to one thread."""

    KEY = 'overload'

    def __init__(self) -> None:
        """Start without overload."""
        self._dropped_before: int | None = None
        self._windows = 0
        self._overloaded = False

    def read(
        self, *, received: int, masks: int, dropped_total: int, window_s: float
    ) -> Finding | None:
        """Judge the images since the last call.

        Args:
            received: images that came in this time.
            masks: masks published in it.
            dropped_total: images dropped for newer ones so far.
            window_s: its length.
        """
        before, self._dropped_before = self._dropped_before, dropped_total
        dropped = 0 if before is None else dropped_total - before
        # It takes as long to believe the one as the other, so that the state does not flicker.
        too_many = received > 0 and dropped > _OVERLOAD_SHARE * received
        self._windows = self._windows + 1 if too_many != self._overloaded else 0
        if self._windows == _OVERLOAD_WINDOWS:
            self._overloaded, self._windows = too_many, 0
        if not self._overloaded or window_s <= 0:
            return None
        return Finding(
            key=self.KEY,
            text=f'images come {received / window_s:.1f} times a second and '
            f'{masks / window_s:.1f} are segmented, always the newest: set latency_budget_ms, '
            'lower regions, or let the camera send fewer',
            kind='overload',
        )
