"""Looks at a finished run frame by frame: checks the masks, draws the pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.demo.demo_records import DemoFrame, DemoRun
from stseg_ros.demo.pictures import captioned, open_video
from stseg_ros.demo.report import ShownFrame
from stseg_ros.demo.summary import frame_dice
from stseg_ros.errors import FrameError
from stseg_ros.pipeline.overlay import draw_overlay
from stseg_ros.records import SegmentationResult, UInt8Array
from stseg_ros.sources.bag_reader import BagMessage, BagReader
from stseg_ros.sources.image_codec import decode

_WORST = 3


def review_run(
    run: DemoRun,
    bundle: ModelBundle,
    config: PipelineConfig,
    output: Path,
    *,
    on_frame: Callable[[], object],
) -> tuple[DemoRun, list[ShownFrame]]:
    """Segment every frame once more without ROS, compare, and draw what came over ROS.

    Args:
        run: the recorded run.
        bundle: what the node ran.
        config: how it ran it.
        output: gets ``overlay.mp4`` and ``overlay.png``.
        on_frame: called after each frame.

    Returns:
        The run with its comparison filled in, and the frames that the report shows.

    Raises:
        StsegError: bag, bundle or output is at fault.
    """
    worth_showing = _choose(run)
    segmenter = open_segmenter(bundle, config)
    reviewed, pictures = [], {}
    try:
        with (
            BagReader(run.bag) as reader,
            open_video(output / 'overlay.mp4', run.rate_hz) as video,
        ):
            messages = reader.messages([run.topic])
            for index, (frame, message) in enumerate(zip(run.frames, messages, strict=False)):
                on_frame()
                if frame.mask_hw is None:
                    reviewed.append(frame)
                    continue
                overlay, equal = _review_frame(frame, message, segmenter.segment)
                reviewed.append(dataclasses.replace(frame, equals_offline=equal))
                picture = captioned(overlay, frame, index)
                video.add(picture)
                if index in worth_showing:
                    pictures[index] = picture
                if index == next(iter(worth_showing)):
                    cv2.imwrite(str(output / 'overlay.png'), overlay)
    finally:
        segmenter.close()
    shown = [
        ShownFrame(caption=caption, picture_bgr=pictures[index])
        for index, caption in worth_showing.items()
        if index in pictures
    ]
    return dataclasses.replace(run, frames=tuple(reviewed)), shown


def _review_frame(
    frame: DemoFrame, message: BagMessage, segment: Callable[..., SegmentationResult]
) -> tuple[UInt8Array, bool]:
    """Draw one answered frame, and tell whether its mask is the one made without ROS."""
    decoded = decode(message.deserialize())
    result = segment(decoded)
    assert frame.mask_hw is not None
    if frame.stamp_ns != result.stamp_ns or frame.mask_hw.shape != result.mask_hw.shape:
        raise FrameError(f'the mask stamped {frame.stamp_ns} is not of frame {result.stamp_ns}')
    equal = bool(np.array_equal(frame.mask_hw, result.mask_hw))
    return draw_overlay(decoded, dataclasses.replace(result, mask_hw=frame.mask_hw)), equal


def _choose(run: DemoRun) -> dict[int, str]:
    """Pick frames for the report, with captions: the fullest first, then the worst."""
    vehicles = {
        index: np.count_nonzero(frame.mask_hw)
        for index, frame in enumerate(run.frames)
        if frame.mask_hw is not None
    }
    answered = list(vehicles)
    fullest = max(answered, key=vehicles.__getitem__)
    chosen = {fullest: f'Frame {fullest}: the most vehicle pixels'}
    scores = {index: frame_dice(run.frames[index]) for index in answered}
    scored = sorted((score, index) for index, score in scores.items() if score is not None)
    for score, index in scored[:_WORST]:
        chosen.setdefault(index, f'Frame {index}: among the worst by Dice, {score:.3f}')
    slowest = sorted(answered, key=lambda index: -(run.frames[index].latency_ms or 0.0))
    for index in slowest[:_WORST]:
        latency_ms = run.frames[index].latency_ms
        chosen.setdefault(index, f'Frame {index}: among the slowest, {latency_ms:.1f} ms')
    return chosen
