"""The course of a soak: start, warm-up, the rate, the schedule."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stseg_ros.errors import StsegError
from stseg_ros.soak.driver import NodeEndedError
from stseg_ros.soak.ledger import WARM_UP, Ledger
from stseg_ros.soak.schedule import make_schedule, warm_up
from stseg_ros.soak.sustained_rate import sustained_rate_hz

if TYPE_CHECKING:
    from pathlib import Path

    from stseg_ros.soak.driver import Driver

_OVERLOAD = 2.0
_WARM_UP_S, _WARM_UP_HZ = 0.6, 10.0
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakOptions:
    """What to soak.

    Attributes:
        seconds: length of the schedule.
        rate_hz: images per second; None is twice what the node sustains.
        transport: 'raw' or 'compressed'.
        bundle: name or folder of the bundle.
        backend: inference backend.
        seed: of the schedule.
        output: folder for the logs.
    """

    seconds: float
    rate_hz: float | None
    transport: str
    bundle: str
    backend: str
    seed: int
    output: Path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Progress:
    """How a soak shows how far it is.

    Attributes:
        say: takes a line on what begins.
        on_time: takes the time since the start of the schedule in s, and the soak's books.
    """

    say: Callable[[str], None]
    on_time: Callable[[float, Ledger], None]


class Course:
    """How far a soak has come.

    Attributes:
        sustained_hz: masks per second that were measured; None where a rate was asked for.
        rate_hz: images per second of the schedule.
        start_ns: CLOCK_MONOTONIC time at which the schedule started; 0 before.
        seconds: how long the schedule ran, in the end.
        steps: how many of its steps were begun.
        ended_early: whether the node has ended by itself.
    """

    def __init__(
        self,
        options: SoakOptions,
        ledger: Ledger,
        say: Callable[[str], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            options: what to do.
            ledger: the books.
            say: takes a line on what begins.
            is_stopped: whether it is to end early.
        """
        self.sustained_hz: float | None = None
        self.rate_hz = 0.0
        self.start_ns = 0
        self.seconds = 0.0
        self.steps = 0
        self.ended_early = False
        self._options = options
        self._ledger = ledger
        self._say = say
        self._is_stopped = is_stopped

    def passed_s(self) -> float:
        """Return the time since the start of the schedule."""
        return (time.monotonic_ns() - self.start_ns) / _NS_PER_S

    def prepare(self, driver: Driver) -> None:
        """Start everything, warm up, and find the rate.

        Args:
            driver: drives node and camera.

        Raises:
            StsegError: node or camera do not start.
            KeyboardInterrupt: the soak was ended.
        """
        options = self._options
        self._say('starting the node and the camera')
        driver.await_node()
        driver.open_camera()
        self._say('warming up')
        for step in warm_up(transport=options.transport, seconds=_WARM_UP_S, rate_hz=_WARM_UP_HZ):
            driver.run(step, WARM_UP)
            self._check_stopped()
        if options.rate_hz is not None:
            self.rate_hz = options.rate_hz
        else:
            self._say('measuring the rate that the node sustains')
            self.sustained_hz = self._measure_rate(driver)
            self.rate_hz = _OVERLOAD * self.sustained_hz
        driver.settle()
        self._check_stopped()
        self._say(f'soaking at {self.rate_hz:.1f} images per second')

    def follow_schedule(self, driver: Driver) -> None:
        """Go through the schedule as far as time, user and node allow.

        Args:
            driver: drives node and camera.

        Raises:
            StsegError: the camera has ended.
        """
        options = self._options
        steps = make_schedule(
            seconds=options.seconds,
            rate_hz=self.rate_hz,
            transport=options.transport,
            seed=options.seed,
        )
        self.start_ns = time.monotonic_ns()
        self._ledger.start(self.start_ns)
        try:
            for index, step in enumerate(steps):
                # Restarts take their time, which the schedule does not know.
                if self._is_stopped() or self.passed_s() > options.seconds:
                    break
                self.steps += 1
                driver.run(step, index)
            self.seconds = self.passed_s()
            driver.finish()
        except NodeEndedError:
            self.ended_early = True
            self.seconds = self.seconds or self.passed_s()

    def _measure_rate(self, driver: Driver) -> float:
        try:
            return sustained_rate_hz(driver, self._ledger, self._options.transport)
        except StsegError:
            # Where it was to end before there was a mask, that is no fault of the node.
            self._check_stopped()
            raise

    def _check_stopped(self) -> None:
        if self._is_stopped():
            raise KeyboardInterrupt
