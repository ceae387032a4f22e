"""The measuring itself: every case in turn, in an order drawn anew for every round.

What slows a machine for a while, heat or another program, then slows all cases, not one of them. A
turn starts with a frame that is not timed: whoever had the turn before left the caches full of
other networks, which no running node has to bear.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from stseg_ros.measure.benchmark.cases import STAGES
from stseg_ros.measure.benchmark.resources import EnergyMeter
from stseg_ros.measure.benchmark.timings import Int64Array
from stseg_ros.records import Frame, FrameTiming

Runner = Callable[[Frame], FrameTiming]


class Timed(Protocol):
    """Anything that has turns, on frames of one size."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """The frames' size in pixels."""
        ...


AnyCase = TypeVar('AnyCase', bound=Timed)

WARM_UP_FRAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """How is measured.

    Attributes:
        rounds: how often every case has its turn.
        frames_per_turn: frames timed in a turn, after one that is not.
        seed: of the order of the cases.
    """

    rounds: int
    frames_per_turn: int = 3
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """What was measured of one case.

    Attributes:
        wall_ns: (rounds, frames) int64 wall time of the whole call.
        cpu_ns: (rounds, frames) int64 time of all threads of the process.
        stages_ns: (rounds, frames, stages) int64 in the order of `STAGES`.
        energy_uj: (rounds,) int64 microjoules of the timed frames of a turn; None if not known.
    """

    wall_ns: Int64Array
    cpu_ns: Int64Array
    stages_ns: Int64Array
    energy_uj: Int64Array | None

    @property
    def pipeline_ns(self) -> Int64Array:
        """(rounds, frames) sum of the stages."""
        return np.asarray(self.stages_ns.sum(axis=2), np.int64)

    @property
    def networks_ns(self) -> Int64Array:
        """(rounds, frames) network calls alone."""
        return self.stage_ns('coarse') + self.stage_ns('refine')

    def stage_ns(self, stage: str) -> Int64Array:
        """(rounds, frames) of one stage."""
        return self.stages_ns[..., STAGES.index(stage)]


def warm_up(
    runners: Mapping[AnyCase, Runner],
    frames: Mapping[tuple[int, int], Sequence[Frame]],
    progress: Callable[[int], object],
) -> None:
    """Run every case on some frames, so that none pays for first-time work later.

    Args:
        runners: what segments a frame, by case.
        frames: by size.
        progress: told 1 after each case.

    Raises:
        StsegError: a case does not run.
    """
    for case, run in runners.items():
        pictures = frames[case.size_hw]
        for index in range(WARM_UP_FRAMES):
            run(pictures[index % len(pictures)])
        progress(1)


def measure(
    runners: Mapping[AnyCase, Runner],
    frames: Mapping[tuple[int, int], Sequence[Frame]],
    procedure: Procedure,
    *,
    meter: EnergyMeter | None,
    progress: Callable[[int], object],
) -> dict[AnyCase, Samples]:
    """Measure all cases, one turn each in every round; in one round all see the same pictures.

    Args:
        runners: what segments a frame, by case.
        frames: by size, as many of each.
        procedure: how.
        meter: counts energy; None leaves it out.
        progress: told 1 after each turn.

    Returns:
        What was measured, in the order of `runners`.

    Raises:
        StsegError: a case failed.
    """
    samples = {case: _no_samples(procedure, energy=meter is not None) for case in runners}
    cases = list(runners)
    generator = np.random.default_rng(procedure.seed)
    for number in range(procedure.rounds):
        for index in generator.permutation(len(cases)).tolist():
            case = cases[index]
            pictures = _pictures(frames[case.size_hw], number, procedure.frames_per_turn)
            _take_turn(runners[case], pictures, samples[case], number, meter)
            progress(1)
    return samples


def _pictures(frames: Sequence[Frame], number: int, count: int) -> list[Frame]:
    """Take the pictures of a round: one that is not timed, and those that are."""
    first = number * count
    return [frames[index % len(frames)] for index in range(first - 1, first + count)]


def _take_turn(
    run: Runner,
    pictures: Sequence[Frame],
    samples: Samples,
    number: int,
    meter: EnergyMeter | None,
) -> None:
    """Time the pictures but the first, and note the times in the row of the round."""
    run(pictures[0])
    before_uj = meter.read_uj() if meter is not None else ()
    for index, picture in enumerate(pictures[1:]):
        cpu_ns, started_ns = time.process_time_ns(), time.perf_counter_ns()
        timing = run(picture)
        samples.wall_ns[number, index] = time.perf_counter_ns() - started_ns
        samples.cpu_ns[number, index] = time.process_time_ns() - cpu_ns
        samples.stages_ns[number, index] = [getattr(timing, f'{stage}_ns') for stage in STAGES]
    if meter is not None:
        assert samples.energy_uj is not None
        samples.energy_uj[number] = meter.spent_uj(before_uj, meter.read_uj())


def _no_samples(procedure: Procedure, *, energy: bool) -> Samples:
    shape = procedure.rounds, procedure.frames_per_turn
    return Samples(
        wall_ns=np.zeros(shape, np.int64),
        cpu_ns=np.zeros(shape, np.int64),
        stages_ns=np.zeros((*shape, len(STAGES)), np.int64),
        energy_uj=np.zeros(procedure.rounds, np.int64) if energy else None,
    )
