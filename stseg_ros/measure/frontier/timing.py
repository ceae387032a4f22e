"""The time of every point, all in one run, in turns, at every frame size."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from stseg_ros.bundle import ModelBundle
from stseg_ros.measure.benchmark.cases import size_name
from stseg_ros.measure.benchmark.frames import FrameSet
from stseg_ros.measure.benchmark.machine import describe_machine
from stseg_ros.measure.benchmark.rounds import Procedure, Runner, Samples, measure, warm_up
from stseg_ros.measure.benchmark.timings import quantiles_ms
from stseg_ros.measure.evaluate import BundleUnderTest
from stseg_ros.measure.frontier.points import Group, Point
from stseg_ros.measure.frontier.scoring import candidate_of, config_of
from stseg_ros.sources.replay_summary import library_versions

_NS_PER_MS = 1e6

# Told of a phase: its name, and how many steps it has; returns what is told of each step.
Phase = Callable[[str, int], Callable[[int], object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPoint:
    """A point on frames of one size.

    Attributes:
        size_hw: the frames' size in pixels.
        label: the point's.
    """

    size_hw: tuple[int, int]
    label: str


def time_points(
    groups: Sequence[tuple[Group, ModelBundle]],
    frames: FrameSet,
    procedure: Procedure,
    phase: Phase,
) -> dict[str, Any]:
    """Time all points of all groups.

    Args:
        groups: the points, with the bundle that serves them; all on one backend.
        frames: the pictures, at every size that is to be timed.
        procedure: rounds, frames per turn and seed.
        phase: see `Phase`.

    Returns:
        `made_at`, `machine`, `versions`, `backend`, `frames_from`, `rounds`, `frames_per_turn`,
        and `sizes`: by size and label the quantiles `ms`, and `round_ms`, the median of each
        round, from which ratios with intervals can be made.

    Raises:
        StsegError: a bundle or the backend is at fault.
    """
    machine = describe_machine()
    with ExitStack() as stack:
        runners: dict[TimedPoint, Runner] = {}
        note = ''
        for group, bundle in groups:
            subject = BundleUnderTest(bundle, config_of(group))
            stack.callback(subject.close)
            note = subject.segmenter.backend_note
            for size_hw in frames.by_size:
                # Selectors that choose as many regions as they find: each batch is compiled once.
                for frame in frames.by_size[size_hw]:
                    subject.segment(frame, candidate_of(group.points[-1], subject))
                for point in group.points:
                    key = TimedPoint(size_hw=size_hw, label=point.label)
                    runners[key] = _runner(subject, point)
        warm_up(runners, frames.by_size, phase('warming up', len(runners)))
        samples = measure(
            runners,
            frames.by_size,
            procedure,
            meter=None,
            progress=phase('measuring', len(runners) * procedure.rounds),
        )
    return {
        'made_at': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'machine': machine,
        'versions': library_versions(),
        'backend': note,
        'frames_from': frames.source,
        'rounds': procedure.rounds,
        'frames_per_turn': procedure.frames_per_turn,
        'sizes': {
            size_name(size_hw): {
                key.label: _figures(own) for key, own in samples.items() if key.size_hw == size_hw
            }
            for size_hw in frames.by_size
        },
    }


def _runner(subject: BundleUnderTest, point: Point) -> Runner:
    candidate = candidate_of(point, subject)
    return lambda frame: subject.segment(frame, candidate).timing


def _figures(samples: Samples) -> dict[str, Any]:
    medians_ms = np.median(samples.wall_ns, axis=1) / _NS_PER_MS
    return {
        'ms': quantiles_ms(samples.wall_ns),
        'round_ms': [round(value, 4) for value in medians_ms.tolist()],
    }
