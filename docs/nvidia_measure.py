"""What `run_on_nvidia.py` measures: agreement of masks, and the time of every stage."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.records import ChannelOrder, Frame, SegmentationResult

SCENES = 8
WARM_UP_FRAMES = 30
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')


class Segmenter(Protocol):
    """Segments frames."""

    def segment(self, frame: Frame) -> SegmentationResult:
        """Segment one frame."""
        ...


def make_frames(size_hw: tuple[int, int], images: Path | None) -> list[Frame]:
    """Make the frames of one size.

    Args:
        size_hw: their size.
        images: a folder of real images, searched to any depth; None for synthetic ones alone.

    Returns:
        Frames in BGR, as cameras' drivers publish them.
    """
    scenes = [render_scene(seed, size_hw).image_hwc[..., ::-1] for seed in range(SCENES)]
    paths = sorted(images.rglob('*')) if images is not None else []
    for path in [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES][:SCENES]:
        image_hwc = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image_hwc is not None:
            scenes.append(cv2.resize(image_hwc, size_hw[::-1], interpolation=cv2.INTER_AREA))
    return [
        Frame(image_hwc=np.ascontiguousarray(scene), channel_order=ChannelOrder.BGR)
        for scene in scenes
    ]


def compare(
    segmenter: Segmenter, frames: list[Frame], references: list[SegmentationResult]
) -> dict[str, Any]:
    """Hold masks against the reference's.

    Args:
        segmenter: what is tested.
        frames: the frames.
        references: what ONNX Runtime says of them.

    Returns:
        The worst frame's Dice, the largest share of pixels that changed, the largest difference of
        logits in bytes, and how many frames refine other regions.
    """
    dice, changed, steps, other = [1.0], [0.0], [0], 0
    for frame, reference in zip(frames, references, strict=True):
        result = segmenter.segment(frame)
        ours_hw, theirs_hw = result.mask_hw > 0, reference.mask_hw > 0
        vehicle = np.count_nonzero(ours_hw) + np.count_nonzero(theirs_hw)
        if vehicle:
            dice.append(2.0 * np.count_nonzero(ours_hw & theirs_hw) / vehicle)
        changed.append(float(np.mean(ours_hw != theirs_hw)))
        difference = result.logit_bytes_hw.astype(np.int16) - reference.logit_bytes_hw
        steps.append(int(np.abs(difference).max()))
        chosen, expected = (
            {tuple(box) for box in each.selection.boxes_xyxy.tolist()}
            for each in (result, reference)
        )
        other += chosen != expected
    return {
        'least_dice': round(min(dice), 6),
        'most_pixels_changed': round(max(changed), 6),
        'most_byte_steps': max(steps),
        'frames_with_other_regions': other,
    }


def time_stages(
    segmenter: Segmenter, frames: list[Frame], count: int
) -> dict[str, dict[str, float]]:
    """Time every stage, and the whole of it from outside.

    Args:
        segmenter: what is timed.
        frames: taken in turn.
        count: how many frames are timed, after a warm-up.

    Returns:
        Milliseconds by stage: p50, p95 and p99; stages that take no time are left out.
    """
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
        name: {
            f'p{share}': round(float(np.percentile(values, share)) / 1e6, 4)
            for share in (50, 95, 99)
        }
        for name, values in times_ns.items()
        if any(values)
    }
