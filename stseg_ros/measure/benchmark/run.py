"""A benchmark from start to end: open, warm up, compare masks, measure, condense."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from stseg_ros.assembly import resolve_selector
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.benchmark.cameras import CameraCase, list_camera_cases
from stseg_ros.measure.benchmark.cases import REFERENCE, Case, camera_size, list_cases
from stseg_ros.measure.benchmark.frames import FrameSet, load_frames
from stseg_ros.measure.benchmark.machine import describe_machine
from stseg_ros.measure.benchmark.masks import compare_masks
from stseg_ros.measure.benchmark.resources import (
    EnergyMeter,
    EnergyUnknownError,
    Memory,
    read_memory,
)
from stseg_ros.measure.benchmark.rounds import Procedure, Runner, measure, warm_up
from stseg_ros.measure.benchmark.rows import camera_rows, result_rows
from stseg_ros.measure.benchmark.subject import BenchmarkSubject
from stseg_ros.measure.benchmark.timings import CONFIDENCE, RESAMPLES
from stseg_ros.measure.candidates import TWO_STAGE
from stseg_ros.sources.replay_summary import library_versions

# 2: `cameras`, rows of several cameras on one pair of networks. Later additions, with which it
# stays 2: `reference_torch`, the mode of that name, `faster_than_reference_torch` and
# `mean_regions` of rows, and `dice_of_references` of masks.
SCHEMA = 2


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
        cameras: numbers of cameras on one pair of networks, each above 0; none leaves them out.
        camera_regions: regions refined per frame of several cameras.
    """

    config: PipelineConfig
    regions: Sequence[int]
    sizes_hw: Sequence[tuple[int, int]]
    procedure: Procedure
    images: Path | None = None
    frames: int = 4
    cameras: Sequence[int] = ()
    camera_regions: int = 0


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
    most = max(options.cameras, default=0)
    with closing(BenchmarkSubject(bundle, options.config, cameras=most)) as subject:
        memory['opened'] = read_memory()
        cases = list_cases(
            options.sizes_hw,
            options.regions,
            whole=subject.whole.kind is not None,
            references=list(subject.references),
        )
        size_hw = camera_size(options.sizes_hw)
        camera_cases = list_camera_cases(
            size_hw, options.cameras, options.camera_regions, bundle.geometry
        )
        runners: dict[Case | CameraCase, Runner] = {
            **{case: subject.runner(case) for case in cases},
            **{
                case: subject.camera_runner(case, frames.by_size[size_hw]) for case in camera_cases
            },
        }
        warm_up(runners, frames.by_size, phase('warming up', len(runners)))
        masks = _masks(subject, cases, frames, phase)
        mean_regions = {
            case: fmean(
                subject.count_regions(case, frame) for frame in frames.by_size[case.size_hw]
            )
            for case in cases
            if case.mode == TWO_STAGE
        }
        memory['warm'] = read_memory()
        meter, energy = _find_meter()
        samples = measure(
            runners,
            frames.by_size,
            options.procedure,
            meter=meter,
            progress=phase('measuring', len(runners) * options.procedure.rounds),
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
            'results': result_rows({case: samples[case] for case in cases}, mean_regions),
            'cameras': camera_rows({case: samples[case] for case in camera_cases}),
        }


def _masks(
    subject: BenchmarkSubject, cases: Sequence[Case], frames: FrameSet, phase: Phase
) -> list[dict[str, Any]]:
    if not subject.references:
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
    bundle, reference = subject.bundle, subject.references.get(REFERENCE)
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
        'selector': resolve_selector(bundle, options.config),
        'whole_network': subject.whole.kind,
        'reference': None
        if reference is None
        else {'procedure': 'dianartsilva/two-stage-segmentation@b17e15f, re-enacted',
              'coarse_logits_enlarged_by': reference.enlarged_by},
        'reference_torch': subject.torch_reference.facts or None,
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
    }


def _memory(readings: dict[str, Memory]) -> dict[str, float]:
    """Sum up the memory of the process, in which every case is open at once."""
    resident = {name: memory.resident_mib for name, memory in readings.items()}
    growth = resident['measured'] - resident['warm']
    peak = readings['measured'].peak_mib
    return {**resident, 'growth_while_measured': round(growth, 1), 'peak': peak}
