"""A benchmark from start to end: open, warm up, compare masks, measure, condense."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.benchmark.cases import Case, list_cases
from stseg_ros.measure.benchmark.frames import FrameSet, load_frames
from stseg_ros.measure.benchmark.machine import describe_machine
from stseg_ros.measure.benchmark.masks import compare_masks
from stseg_ros.measure.benchmark.resources import (
    EnergyMeter,
    EnergyUnknownError,
    Memory,
    read_memory,
)
from stseg_ros.measure.benchmark.rounds import Procedure, measure, warm_up
from stseg_ros.measure.benchmark.rows import result_rows
from stseg_ros.measure.benchmark.subject import BenchmarkSubject
from stseg_ros.measure.benchmark.timings import CONFIDENCE, RESAMPLES
from stseg_ros.measure.candidates import TWO_STAGE
from stseg_ros.sources.replay_summary import library_versions

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """What is measured.

    Attributes:
        config: backend, threads and precision.
        regions: numbers of regions, each above 0; coarse only is always measured.
        sizes_hw: sizes of the frames.
        procedure: rounds, frames per turn and seed.
        images: folder of images; None draws synthetic scenes.
        frames: how many pictures are taken in turn.
    """

    config: PipelineConfig
    regions: Sequence[int]
    sizes_hw: Sequence[tuple[int, int]]
    procedure: Procedure
    images: Path | None = None
    frames: int = 4


# Told of a phase: its name, and how many steps it has; returns what is told of each step.
Phase = Callable[[str, int], Callable[[int], object]]


def run_benchmark(bundle: ModelBundle, options: BenchmarkOptions, phase: Phase) -> dict[str, Any]:
    """Measure a bundle in every way it runs.

    Args:
        bundle: the verified bundle.
        options: what is measured.
        phase: see `Phase`.

    Returns:
        The document: plain values for JSON, versioned by `schema`.

    Raises:
        StsegError: the images, a setting or the backend are at fault.
    """
    machine = describe_machine()
    frames = load_frames(options.images, options.frames, options.sizes_hw)
    memory = {'before_opening': read_memory()}
    with closing(BenchmarkSubject(bundle, options.config)) as subject:
        memory['opened'] = read_memory()
        cases = list_cases(
            options.sizes_hw,
            options.regions,
            whole=subject.whole.kind is not None,
            reference=subject.reference is not None,
        )
        runners = {case: subject.runner(case) for case in cases}
        warm_up(runners, frames.by_size, phase('warming up', len(cases)))
        masks = _masks(subject, cases, frames, phase)
        memory['warm'] = read_memory()
        meter, energy = _find_meter()
        samples = measure(
            runners,
            frames.by_size,
            options.procedure,
            meter=meter,
            progress=phase('measuring', len(cases) * options.procedure.rounds),
        )
        memory['measured'] = read_memory()
        return {
            **_identity(subject, options),
            'procedure': _procedure(options, frames),
            'machine': machine,
            'versions': library_versions(),
            'notes': subject.notes,
            'memory_mib': _memory(memory),
            'energy': energy,
            'masks': masks,
            'results': result_rows(samples),
        }


def _masks(
    subject: BenchmarkSubject, cases: Sequence[Case], frames: FrameSet, phase: Phase
) -> list[dict[str, Any]]:
    if subject.reference is None:
        return []
    count = sum(case.mode == TWO_STAGE for case in cases)
    return compare_masks(subject, cases, frames.by_size, phase('comparing masks', count))


def _find_meter() -> tuple[EnergyMeter | None, str]:
    """Open the energy counters, and say what they are or why there are none."""
    try:
        return EnergyMeter(), 'RAPL, all processors, with everything that ran on them'
    except EnergyUnknownError as err:
        return None, f'not available: {err}'


def _identity(subject: BenchmarkSubject, options: BenchmarkOptions) -> dict[str, Any]:
    """Tell what was measured."""
    bundle, reference = subject.bundle, subject.reference
    networks = bundle.manifest.networks
    return {
        'schema': SCHEMA,
        'made_by': 'stseg benchmark',
        'made_at': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'bundle': bundle.name,
        'sha256': {
            name: network.sha256
            for name in ('coarse', 'refine', 'whole')
            if (network := getattr(networks, name)) is not None
        },
        'geometry': dataclasses.asdict(bundle.geometry),
        'settings': dataclasses.asdict(subject.settings),
        'selector': options.config.chosen_selector,
        'whole_network': subject.whole.kind,
        'reference': None
        if reference is None
        else {'procedure': 'dianartsilva/two-stage-segmentation@b17e15f, re-enacted',
              'coarse_logits_enlarged_by': reference.enlarged_by},
        'backend': subject.backend,
        'device': subject.device,
        'backend_note': subject.backend_note,
        'threads': options.config.threads,
        'precision': options.config.precision,
    }  # fmt: skip


def _procedure(options: BenchmarkOptions, frames: FrameSet) -> dict[str, Any]:
    return {
        **dataclasses.asdict(options.procedure),
        'order': 'all cases in every round, in an order drawn for each round',
        'not_timed': 'the first frame of every turn; decoding; messages',
        'frames_from': frames.source,
        'interval': f'{CONFIDENCE:.0%}, bootstrap over rounds, {RESAMPLES} resamples',
        'left_out': ['several cameras at once'],
    }


def _memory(readings: dict[str, Memory]) -> dict[str, float]:
    """Sum up the memory of the process, in which every case is open at once."""
    resident = {name: memory.resident_mib for name, memory in readings.items()}
    growth = resident['measured'] - resident['warm']
    peak = readings['measured'].peak_mib
    return {**resident, 'growth_while_measured': round(growth, 1), 'peak': peak}
