"""Whether the pipeline and the published procedure give the same masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stseg_ros.measure.benchmark.cases import REFERENCE, REFERENCE_TORCH, Case
from stseg_ros.measure.benchmark.reference import LOGITS, PROBABILITIES
from stseg_ros.measure.benchmark.subject import BenchmarkSubject
from stseg_ros.measure.candidates import TWO_STAGE
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels, dice, pool
from stseg_ros.records import Frame


def compare_masks(
    subject: BenchmarkSubject,
    cases: Sequence[Case],
    frames: Mapping[tuple[int, int], Sequence[Frame]],
    progress: Callable[[int], object],
) -> list[dict[str, Any]]:
    """Compare the masks of every two-stage case, regions pasted as the paper has it.

    Ranked by probabilities both choose the same cells but for near ties, if the pipeline's
    selector is the paper's. They differ in how a frame is shrunk (the procedure samples single
    pixels, the pipeline averages) and brought back to the camera's size. Ranked by logits, as the
    code does, the procedure chooses other cells.

    Args:
        subject: the opened bundle, with the published procedure.
        cases: what is timed; others than two stages are passed over.
        frames: by size.
        progress: told 1 after each case.

    Returns:
        For each case its `size` and `regions`, the number of `frames`, those with `equal_masks`
        and the `dice` of all pixels where cells are ranked alike, and `dice_ranked_by_logits`;
        `dice_of_references` compares the procedure on the pipeline's backend with itself in
        PyTorch, both ranked by probabilities, None where there is no such.
    """
    return [
        _compare(subject, case, frames[case.size_hw], progress)
        for case in cases
        if case.mode == TWO_STAGE
    ]


def _compare(
    subject: BenchmarkSubject,
    case: Case,
    frames: Sequence[Frame],
    progress: Callable[[int], object],
) -> dict[str, Any]:
    equal = 0
    counts: dict[str, list[PixelCounts]] = {PROBABILITIES: [], LOGITS: []}
    for frame in frames:
        ours_hw = (subject.pipeline_mask(frame, case.regions) > 0).astype(np.uint8)
        for space, counted in counts.items():
            published_hw = subject.published_mask(frame, case.regions, space)
            counted.append(count_pixels(published_hw, ours_hw))
        same = counts[PROBABILITIES][-1]
        equal += same.fp + same.fn == 0
    progress(1)
    return {
        'size': case.size,
        'regions': case.regions,
        'frames': len(frames),
        'equal_masks': equal,
        'dice': round(dice(pool(counts[PROBABILITIES])), 6),
        'dice_ranked_by_logits': round(dice(pool(counts[LOGITS])), 6),
        'dice_of_references': _dice_of_references(subject, case, frames),
    }


def _dice_of_references(
    subject: BenchmarkSubject, case: Case, frames: Sequence[Frame]
) -> float | None:
    if REFERENCE_TORCH not in subject.references:
        return None
    counts = []
    for frame in frames:
        ours_hw, torch_hw = (
            # Ranked by logits they may differ in cells: the backend's end at 8.
            subject.published_mask(frame, case.regions, PROBABILITIES, mode)
            for mode in (REFERENCE, REFERENCE_TORCH)
        )
        counts.append(count_pixels(torch_hw, (ours_hw > 0).astype(np.uint8)))
    return round(dice(pool(counts)), 6)
