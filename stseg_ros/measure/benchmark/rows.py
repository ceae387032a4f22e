"""Samples condensed to the rows of the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from stseg_ros.measure.benchmark.cameras import IN_TURN, JOINED, CameraCase
from stseg_ros.measure.benchmark.cases import REFERENCE, REFERENCE_TORCH, STAGES, Case
from stseg_ros.measure.benchmark.rounds import Samples
from stseg_ros.measure.benchmark.timings import Ratio, quantiles_ms, ratio_of_medians
from stseg_ros.measure.candidates import TWO_STAGE, WHOLE

_NS_PER_MS, _NS_PER_S, _UJ_PER_MJ = 1e6, 1e9, 1e3


def result_rows(
    samples: Mapping[Case, Samples], mean_regions: Mapping[Case, float]
) -> list[dict[str, Any]]:
    """Work out the figures of every case.

    Args:
        samples: what was measured, by case.
        mean_regions: how many regions were refined, of cases where that may be fewer than allowed.

    Returns:
        For each case, in order: `size`, `mode`, `regions` (at most), `mean_regions` (refined),
        timed `frames`; `ms` (quantiles of the
        whole call), `stages_ms` (quantiles of each stage, if they are timed), `networks_ms`,
        `frames_per_s` (one after the other), `cpu_ms`, `cpu_over_wall`, `energy_mj` per frame
        (None if not known); and as ratios with intervals `pipeline_over_networks`,
        `faster_than_whole`, `faster_than_reference` and `faster_than_reference_torch` (both with
        as many regions), None where there is nothing to compare with.
    """
    return [_row(case, samples, mean_regions.get(case, float(case.regions))) for case in samples]


def camera_rows(samples: Mapping[CameraCase, Samples]) -> list[dict[str, Any]]:
    """Work out the figures of several cameras on one pair of networks.

    Args:
        samples: what was measured, by case; a call is a round, one frame of every camera.

    Returns:
        For each case, in order: `size`, `way`, `cameras`, `regions`, timed `rounds`; `round_ms`
        (quantiles of a round), `frame_ms` (its median divided by the cameras), `frames_per_s` of
        all cameras together, `cpu_ms` per frame; and as ratios with intervals
        `frame_over_one_camera` (what a frame takes beside others, as a multiple of what it takes
        alone) and `faster_than_in_turn`, None where there is nothing to compare with.
    """
    return [_camera_row(case, samples) for case in samples]


def _camera_row(case: CameraCase, samples: Mapping[CameraCase, Samples]) -> dict[str, Any]:
    own = samples[case]
    alone = samples[dataclasses.replace(case, way=IN_TURN, cameras=1)]
    in_turn = samples[dataclasses.replace(case, way=IN_TURN)] if case.way == JOINED else None
    over_one = None
    if case.cameras > 1:
        over_one = _plain(ratio_of_medians(own.wall_ns // case.cameras, alone.wall_ns))
    round_ms = quantiles_ms(own.wall_ns)
    frames = own.wall_ns.size * case.cameras
    return {
        'size': case.size,
        'way': case.way,
        'cameras': case.cameras,
        'regions': case.regions,
        'rounds': int(own.wall_ns.size),
        'round_ms': round_ms,
        'frame_ms': round(round_ms['p50'] / case.cameras, 4),
        'frames_per_s': round(_NS_PER_S * frames / float(own.wall_ns.sum()), 3),
        'cpu_ms': round(float(own.cpu_ns.sum()) / frames / _NS_PER_MS, 4),
        'frame_over_one_camera': over_one,
        'faster_than_in_turn': _faster(own, in_turn),
    }


def _row(case: Case, samples: Mapping[Case, Samples], mean_regions: float) -> dict[str, Any]:
    own = samples[case]
    whole = samples.get(Case(size_hw=case.size_hw, mode=WHOLE))
    energy = None
    if own.energy_uj is not None:
        energy = round(float(own.energy_uj.sum()) / own.wall_ns.size / _UJ_PER_MJ, 3)
    parts: dict[str, Any] = {'stages_ms': {}, 'networks_ms': None, 'pipeline_over_networks': None}
    # What segments a frame may tell its time as a whole.
    if own.stage_ns('fuse').any():
        parts = {
            'stages_ms': {
                _stage_name(case, stage): quantiles_ms(own.stage_ns(stage))
                for stage in STAGES
                if own.stage_ns(stage).any()
            },
            'networks_ms': quantiles_ms(own.networks_ns),
            'pipeline_over_networks': _plain(ratio_of_medians(own.pipeline_ns, own.networks_ns)),
        }
    return {
        'size': case.size,
        'mode': case.mode,
        'regions': case.regions,
        'mean_regions': round(mean_regions, 2),
        'frames': int(own.wall_ns.size),
        'ms': quantiles_ms(own.wall_ns),
        **parts,
        'frames_per_s': round(_NS_PER_S / float(np.mean(own.wall_ns)), 3),
        'cpu_ms': round(float(np.mean(own.cpu_ns)) / _NS_PER_MS, 4),
        'cpu_over_wall': round(float(own.cpu_ns.sum() / own.wall_ns.sum()), 3),
        'energy_mj': energy,
        'faster_than_whole': _faster(own, whole),
        **{
            f'faster_than_{mode}': _faster(own, _published(case, mode, samples))
            for mode in (REFERENCE, REFERENCE_TORCH)
        },
    }


def _published(case: Case, mode: str, samples: Mapping[Case, Samples]) -> Samples | None:
    """Find the published procedure with as many regions, to compare two stages with."""
    if case.mode != TWO_STAGE:
        return None
    return samples.get(dataclasses.replace(case, mode=mode))


def _stage_name(case: Case, stage: str) -> str:
    """Name a stage; the baseline notes its one network where two stages note the first."""
    return 'network' if (case.mode, stage) == (WHOLE, 'coarse') else stage


def _faster(own: Samples, other: Samples | None) -> dict[str, float] | None:
    """Tell how many times faster a case is than another one."""
    if other is None or other is own:
        return None
    return _plain(ratio_of_medians(other.wall_ns, own.wall_ns))


def _plain(ratio: Ratio) -> dict[str, float]:
    return {
        'ratio': round(ratio.value, 4),
        'low': round(ratio.low, 4),
        'high': round(ratio.high, 4),
    }
