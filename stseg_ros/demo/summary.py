"""The figures of a demonstration run."""

from __future__ import annotations

import os
import platform
from typing import Any

import cv2
import numpy as np

from stseg_ros.demo.demo_records import DemoFrame, DemoRun
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels, dice, mean_dice, pool
from stseg_ros.sources.replay_summary import library_versions

SCHEMA = 1
STAGES = ('decode', 'preprocess', 'coarse', 'select', 'refine', 'fuse', 'encode')


def summarize(run: DemoRun) -> dict[str, Any]:
    """Work out what a run shows.

    A frame is lost when it has neither a mask nor a place in the node's own counts of dropped and
    bad frames.

    Args:
        run: the recorded run.

    Returns:
        A mapping that JSON can hold; durations in ms, `None` where nothing was measured.
    """
    answered = [frame for frame in run.frames if frame.received_ns is not None]
    dropped = int(run.node.get('frames_dropped', 0))
    bad = int(run.node.get('frames_bad', 0))
    return {
        'schema': SCHEMA,
        'played': run.title,
        'bag': run.bag.name,
        'rate_hz': round(run.rate_hz, 3),
        'bundle': run.node.get('bundle'),
        'backend': run.node.get('backend'),
        'device': run.node.get('device'),
        'frames_published': len(run.frames),
        'masks_received': len(answered),
        'frames_dropped_by_node': dropped,
        'frames_bad': bad,
        'frames_lost': max(0, len(run.frames) - len(answered) - dropped - bad),
        'frames_without_mask': [
            index for index, frame in enumerate(run.frames) if frame.received_ns is None
        ],
        'latency_ms': percentiles([_known(frame.latency_ms) for frame in answered]),
        'stages_ms': {stage: _median(_values(answered, f'{stage}_ms')) for stage in STAGES},
        **_overheads(answered),
        'masks_equal_to_offline': sum(frame.equals_offline for frame in answered),
        'regions_per_frame': _median(_values(answered, 'regions')),
        'dice': _score(answered),
        'machine': {
            'processor': run.node.get('device', '').partition(' (')[0] or platform.processor(),
            'cores': os.cpu_count(),
            'system': platform.platform(),
        },
        'versions': library_versions(),
    }


def pipeline_ms(timing: dict[str, float]) -> float:
    """Sum a frame's stages between decoded image and mask."""
    return sum(timing[f'{stage}_ms'] for stage in STAGES if stage not in ('decode', 'encode'))


def percentiles(values: list[float]) -> dict[str, float] | None:
    """Take the usual percentiles.

    Args:
        values: durations in ms.

    Returns:
        p50, p95, p99 and max, or None for no values.
    """
    if not values:
        return None
    p50, p95, p99, largest = np.percentile(values, (50, 95, 99, 100)).tolist()
    return {
        'p50': round(p50, 3),
        'p95': round(p95, 3),
        'p99': round(p99, 3),
        'max': round(largest, 3),
    }


def frame_dice(frame: DemoFrame) -> float | None:
    """Score one frame against its truth.

    Args:
        frame: the frame.

    Returns:
        Hard Dice in [0, 1], or None without mask or truth.
    """
    counts = _count(frame)
    return None if counts is None else dice(counts)


def _overheads(answered: list[DemoFrame]) -> dict[str, float | None]:
    """Compare the pipeline with its networks, and the node with its pipeline."""
    timed = [frame for frame in answered if {'node_ms', 'coarse_ms'} <= frame.timing.keys()]
    timings = [frame.timing for frame in timed]
    return {
        'pipeline_ms': _median([pipeline_ms(timing) for timing in timings]),
        'networks_ms': _median([t['coarse_ms'] + t['refine_ms'] for t in timings]),
        'pipeline_over_networks': _median(
            [pipeline_ms(t) / (t['coarse_ms'] + t['refine_ms']) for t in timings]
        ),
        'node_message_in_to_out_ms': _median([t['node_ms'] for t in timings]),
        'node_adds_ms': _median([t['node_ms'] - pipeline_ms(t) for t in timings]),
        'transport_ms': _median(
            [_known(frame.latency_ms) - frame.timing['node_ms'] for frame in timed]
        ),
    }


def _score(answered: list[DemoFrame]) -> dict[str, float] | None:
    """Score all frames that have a truth."""
    counts = [count for frame in answered if (count := _count(frame)) is not None]
    if not counts:
        return None
    return {
        'pooled': round(dice(pool(counts)), 4),
        'mean_per_frame': round(mean_dice(counts), 4),
        'frames': len(counts),
    }


def _count(frame: DemoFrame) -> PixelCounts | None:
    if frame.truth_path is None or frame.mask_hw is None:
        return None
    truth_hw = cv2.imread(str(frame.truth_path), cv2.IMREAD_GRAYSCALE)
    assert truth_hw is not None, f'{frame.truth_path} was written by this run'
    return count_pixels(frame.mask_hw, (truth_hw > 0).astype(np.uint8))


def _values(frames: list[DemoFrame], key: str) -> list[float]:
    return [frame.timing[key] for frame in frames if key in frame.timing]


def _median(values: list[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None


def _known(value: float | None) -> float:
    assert value is not None
    return value
