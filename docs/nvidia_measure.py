"""What `run_on_nvidia.py` measures: agreement of masks, and the time of every stage."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stseg_ros.measure.benchmark.frames import FrameSet, load_frames
from stseg_ros.measure.benchmark.timings import quantiles_ms
from stseg_ros.records import Frame, SegmentationResult

SCENES = 8
IMAGES_PER_FOLDER = 4
WARM_UP_FRAMES = 30

# Data sets below the folder that STSEG_DATA names, as the tests expect them.
KNOWN_DATA = ('kitti', 'kitti_raw', 'bdd100k', 'camvid/val')


class Segmenter(Protocol):
    """Segments frames.

    Attributes:
        wants_logits: see `stseg_ros.pipeline.segmenter.Segmenter`.
    """

    wants_logits: bool

    def segment(self, frame: Frame) -> SegmentationResult:
        """Segment one frame."""
        ...


def real_folders(data_root: str | None) -> list[Path]:
    """Find the data sets in a folder.

    Args:
        data_root: the folder; none where it is empty or None.

    Returns:
        Those of `KNOWN_DATA` that are there.
    """
    if not data_root:
        return []
    folders = [Path(data_root) / name for name in KNOWN_DATA]
    return [folder for folder in folders if folder.is_dir()]


def make_frames(
    folders: Sequence[Path], sizes_hw: Sequence[tuple[int, int]]
) -> tuple[dict[tuple[int, int], list[Frame]], list[str]]:
    """Draw scenes and read images, and bring all to every size.

    Args:
        folders: folders of real images; a few are taken of each.
        sizes_hw: the sizes.

    Returns:
        Frames by size, in BGR as cameras' drivers publish them; and where they come from.

    Raises:
        DataError: a folder holds no images, or one cannot be read.
    """
    sets: list[FrameSet] = [load_frames(None, SCENES, sizes_hw)]
    sets += [load_frames(folder, IMAGES_PER_FOLDER, sizes_hw) for folder in folders]
    by_size = {
        size_hw: [frame for each in sets for frame in each.by_size[size_hw]]
        for size_hw in sizes_hw
    }
    return by_size, [each.source for each in sets]


def compare(
    segmenter: Segmenter,
    frames: Sequence[Frame],
    references: Sequence[SegmentationResult],
    *,
    least_dice: float,
    few_pixels: float,
) -> dict[str, Any]:
    """Hold masks against the reference's.

    Args:
        segmenter: what is tested.
        frames: the frames.
        references: what ONNX Runtime says of them.
        least_dice: a frame agrees with a Dice of this or more,
        few_pixels: or where this share of its pixels or less changed.

    Returns:
        `agrees`, whether all frames do; the worst frame's Dice, the largest share of pixels that
        changed, the largest difference of logits in bytes, and how many frames refine other
        regions.
    """
    dice, changed, steps, other = [1.0], [0.0], [0], 0
    agrees = True
    for frame, reference in zip(frames, references, strict=True):
        result = segmenter.segment(frame)
        ours_hw, theirs_hw = result.mask_hw > 0, reference.mask_hw > 0
        vehicle = np.count_nonzero(ours_hw) + np.count_nonzero(theirs_hw)
        both = np.count_nonzero(ours_hw & theirs_hw)
        dice.append(2.0 * both / vehicle if vehicle else 1.0)
        changed.append(float(np.mean(ours_hw != theirs_hw)))
        agrees = agrees and (dice[-1] >= least_dice or changed[-1] <= few_pixels)
        difference = result.logit_bytes_hw.astype(np.int16) - reference.logit_bytes_hw
        steps.append(int(np.abs(difference).max()))
        chosen, expected = (
            {tuple(box) for box in each.selection.boxes_xyxy.tolist()}
            for each in (result, reference)
        )
        other += chosen != expected
    return {
        'agrees': agrees,
        'least_dice': round(min(dice), 6),
        'most_pixels_changed': round(max(changed), 6),
        'most_byte_steps': max(steps),
        'frames_with_other_regions': other,
    }


def time_stages(
    segmenter: Segmenter, frames: Sequence[Frame], count: int
) -> dict[str, dict[str, float]]:
    """Time every stage, and the whole of it from outside.

    Args:
        segmenter: what is timed.
        frames: taken in turn.
        count: how many frames are timed, after a warm-up.

    Returns:
        Milliseconds by stage: p50, p95 and p99; stages that take no time are left out.
    """
    # As where nobody listens to more than masks.
    segmenter.wants_logits = False
    times_ns: dict[str, list[int]] = {}
    for index in range(WARM_UP_FRAMES + count):
        frame = frames[index % len(frames)]
        started_ns = time.perf_counter_ns()
        timing = segmenter.segment(frame).timing
        total_ns = time.perf_counter_ns() - started_ns
        if index >= WARM_UP_FRAMES:
            stages = {
                field.name: getattr(timing, field.name) for field in dataclasses.fields(timing)
            }
            for name, value_ns in {**stages, 'total_ns': total_ns}.items():
                times_ns.setdefault(name.removesuffix('_ns'), []).append(value_ns)
    return {
        name: quantiles_ms(np.array(values, np.int64))
        for name, values in times_ns.items()
        if any(values)
    }
