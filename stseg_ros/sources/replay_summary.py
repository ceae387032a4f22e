"""What a replay tells: numbers for programs, and a table for people."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import fields
from typing import Any

import numpy as np

from stseg_ros.records import FrameTiming
from stseg_ros.sources.replay_bag import ReplayResult

_NAMED_BAD_FRAMES = 3
_PACKAGES = (
    'stseg-ros',
    'numpy',
    'opencv-python-headless',
    'rosbags',
    'onnxruntime',
    'openvino',
    'rclpy',
)


def summarise(result: ReplayResult) -> dict[str, Any]:
    """Condense a replay into what JSON can hold.

    Args:
        result: the replay, with one mask or more.

    Returns:
        `frames`, `masks`, `bad_frames` (a list), `recorded_s`, `elapsed_s`, `frames_per_s`,
        `speed` (recorded time by elapsed time; None for a single image) and `stages`: median and
        95th percentile in ms of each stage, of the pipeline, the networks and the total.
    """
    elapsed_s = result.elapsed_ns / 1e9
    return {
        'frames': result.frames,
        'masks': len(result.timings),
        'bad_frames': [
            {'index': bad.index, 'record_ns': bad.record_ns, 'reason': bad.reason}
            for bad in result.bad_frames
        ],
        'recorded_s': round(result.recorded_ns / 1e9, 3),
        'elapsed_s': round(elapsed_s, 6),
        'frames_per_s': round(result.frames / elapsed_s, 3),
        'speed': round(result.recorded_ns / result.elapsed_ns, 3) if result.recorded_ns else None,
        'stages': _stages(result.timings),
    }


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of what a run uses, as far as installed."""
    installed = {
        name.lower().replace('_', '-'): distribution.version
        for distribution in importlib.metadata.distributions()
        if (name := distribution.metadata['Name'])
    }
    return {
        'python': platform.python_version(),
        **{name: installed[name] for name in _PACKAGES if name in installed},
    }


def format_table(summary: dict[str, Any]) -> str:
    """Lay a summary out for people.

    Args:
        summary: what `summarise` returned.

    Returns:
        Some lines, without a newline at the end.
    """
    speed = f', {summary["speed"]:.1f} x real time' if summary['speed'] is not None else ''
    counts = f'{summary["masks"]} masks of {summary["frames"]} frames'
    rate = f'{summary["frames_per_s"]:.1f} frames/s{speed}'
    lines = [
        f'{counts} in {summary["elapsed_s"]:.1f} s: {rate}',
        f'{"stage":<12}{"median ms":>10}{"p95 ms":>10}',
    ]
    lines += [
        f'{stage:<12}{times["median_ms"]:>10.2f}{times["p95_ms"]:>10.2f}'
        for stage, times in summary['stages'].items()
    ]
    bad_frames = summary['bad_frames']
    if bad_frames:
        lines.append(f'{len(bad_frames)} frames could not be used:')
        lines += [f'  frame {bad["index"]}: {bad["reason"]}' for bad in _first(bad_frames)]
    if len(bad_frames) > _NAMED_BAD_FRAMES:
        lines.append(f'  and {len(bad_frames) - _NAMED_BAD_FRAMES} more')
    return '\n'.join(lines)


def _first(bad_frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return bad_frames[:_NAMED_BAD_FRAMES]


def _stages(timings: tuple[FrameTiming, ...]) -> dict[str, dict[str, float]]:
    names = [field.name for field in fields(FrameTiming)]
    names += ['pipeline_ns', 'networks_ns', 'total_ns']
    stages = {}
    for name in names:
        median, p95 = np.percentile([getattr(timing, name) / 1e6 for timing in timings], [50, 95])
        stages[name.removesuffix('_ns')] = {
            'median_ms': round(float(median), 3),
            'p95_ms': round(float(p95), 3),
        }
    return stages
