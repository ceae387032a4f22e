"""Several cameras on one pair of networks, as a node with several cameras serves them.

Each camera has a segmenter of its own around the shared networks. Served in turn, one frame is
done before the next one starts, which is what the node does on a CPU. Joined, stage 1 runs for
each camera, and stage 2 once for the regions of all, as far as a batch holds them: the most that
the node can join on a GPU, where cameras wait for each other's batches.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stseg_ros.assembly import open_segmenter, open_selector
from stseg_ros.bundle import Geometry, ModelBundle
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.engines.backends import EnginePair, open_pair
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.logit_bytes import resize_logit_bytes
from stseg_ros.measure.benchmark.cases import STAGES, size_name
from stseg_ros.pipeline.fuse import merge_regions, threshold_mask
from stseg_ros.pipeline.merge_table import MergeTable
from stseg_ros.pipeline.preprocess import FrameSampler
from stseg_ros.records import (
    CoarseResult,
    Frame,
    FrameTiming,
    RegionSelection,
    UInt8Array,
)

IN_TURN, JOINED = 'in turn', 'joined'


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCase:
    """Several cameras, with a frame each.

    Attributes:
        size_hw: the frames' size in pixels.
        way: 'in turn' or 'joined'.
        cameras: how many.
        regions: regions refined per frame.
    """

    size_hw: tuple[int, int]
    way: str
    cameras: int
    regions: int

    @property
    def size(self) -> str:
        """The frames' size as people write it."""
        return size_name(self.size_hw)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraRound:
    """One frame of every camera.

    Attributes:
        masks_hw: (H, W) uint8 of each camera, 255 is vehicle.
        timing: of all cameras together.
    """

    masks_hw: list[UInt8Array]
    timing: FrameTiming


def list_camera_cases(
    size_hw: tuple[int, int], counts: Sequence[int], regions: int, geometry: Geometry
) -> list[CameraCase]:
    """List what is timed of several cameras.

    Args:
        size_hw: size of the frames.
        counts: numbers of cameras, each above 0; a single one is always timed, to compare with.
        regions: regions refined per frame.
        geometry: the bundle's sizes.

    Returns:
        Ascending by cameras, in turn before joined; joined only where a batch holds the regions
        of two cameras. None where there are no counts.
    """
    joins = 0 < 2 * regions <= geometry.max_regions
    return [
        CameraCase(size_hw=size_hw, way=way, cameras=count, regions=regions)
        for count in sorted({1, *counts} if counts else ())
        for way in (IN_TURN, JOINED)
        if way == IN_TURN or (joins and count > 1)
    ]


def frames_of_round(frame: Frame, pictures: Sequence[Frame], cameras: int) -> list[Frame]:
    """Give each camera a picture: the frame itself, and those that follow it.

    Args:
        frame: one of the pictures.
        pictures: all of one size; they repeat where there are fewer than cameras.
        cameras: how many are wanted.

    Returns:
        The frames, one for each camera.
    """
    first = next(place for place, picture in enumerate(pictures) if picture is frame)
    return [pictures[(first + camera) % len(pictures)] for camera in range(cameras)]


class CamerasOnOnePair:
    """One pair of networks for several cameras; `close` frees it."""

    def __init__(
        self, bundle: ModelBundle, backend: str, config: PipelineConfig, cameras: int
    ) -> None:
        """Open the networks once, and a segmenter for each camera.

        Args:
            bundle: the verified bundle.
            backend: a name in `BACKENDS`.
            config: threads, precision and selector.
            cameras: the most that are served, 1 or more.

        Raises:
            StsegError: a setting does not fit the bundle, or a network does not open.
        """
        opened: list[EnginePair] = []

        def lend(
            coarse_path: Path, refine_path: Path, *, backend: str, options: EngineOptions
        ) -> EnginePair:
            if not opened:
                opened.append(
                    open_pair(coarse_path, refine_path, backend=backend, options=options)
                )
            return opened[0]

        config = dataclasses.replace(config, backend=backend)
        self._segmenters = [
            open_segmenter(bundle, config, open_networks=lend) for _ in range(cameras)
        ]
        (self._engines,) = opened
        self._geometry = geometry = bundle.geometry
        self._samplers = [
            FrameSampler(working_hw=geometry.working_hw, coarse_factor=geometry.coarse_factor)
            for _ in range(cameras)
        ]
        merge_path = bundle.merge_path
        self._merge_table = None if merge_path is None else MergeTable.read(merge_path)
        self._selectors = [open_selector(bundle, config) for _ in range(cameras)]

    def serve(self, frames: Sequence[Frame], way: str, settings: SegmenterSettings) -> CameraRound:
        """Segment a frame of every camera.

        Args:
            frames: one for each camera, all in one order of channels.
            way: 'in turn' or 'joined'.
            settings: the same for all.

        Returns:
            The masks, the same in both ways, and the time of the stages.

        Raises:
            FrameError: a frame cannot be used.
            EngineError: a network failed.
        """
        if way == JOINED:
            return self._serve_joined(frames, settings)
        results = []
        for segmenter, frame in zip(self._segmenters, frames, strict=False):
            segmenter.settings = settings
            results.append(segmenter.segment(frame))
        return CameraRound(
            masks_hw=[result.mask_hw for result in results],
            timing=_sum(result.timing for result in results),
        )

    def close(self) -> None:
        """Close the networks."""
        self._engines.close()

    def _serve_joined(self, frames: Sequence[Frame], settings: SegmenterSettings) -> CameraRound:
        watch, order = _StageWatch(), frames[0].channel_order
        fused: list[UInt8Array] = []
        chosen: list[RegionSelection] = []
        batches: list[UInt8Array] = []
        for frame, sampler, selector in zip(frames, self._samplers, self._selectors, strict=False):
            batch = sampler.coarse(frame.image_hwc)
            watch.lap('preprocess')
            coarse = CoarseResult.of_output(self._engines.coarse.infer(batch, order)[0])
            watch.lap('coarse')
            selection = selector.select(
                coarse, regions=settings.regions, refine_below=settings.refine_below
            )
            fused_hw = resize_logit_bytes(coarse.logit_bytes_hw, self._geometry.working_hw)
            prior_hw = fused_hw if self._geometry.prior else None
            fused.append(fused_hw)
            chosen.append(selection)
            batches.append(
                sampler.regions(
                    frame.image_hwc, selection.boxes_xyxy, prior_hw, coarse.feature_bytes_fhw
                )
                if len(selection)
                else np.empty((0, 0, 0, 0), np.uint8)
            )
            watch.lap('select')
        for together in _fill([len(batch) for batch in batches], self._geometry.max_regions):
            joined = np.concatenate([batches[camera] for camera in together])
            watch.lap('select')
            refined_khw = self._engines.refine.infer(joined, order)
            watch.lap('refine')
            start = 0
            for camera in together:
                end = start + len(batches[camera])
                merge_regions(
                    fused[camera],
                    chosen[camera].boxes_xyxy,
                    refined_khw[start:end],
                    settings.fusion,
                    self._merge_table,
                )
                start = end
            watch.lap('fuse')
        masks_hw = []
        for frame, fused_hw in zip(frames, fused, strict=True):
            height, width = frame.image_hwc.shape[:2]
            masks_hw.append(threshold_mask(fused_hw, (height, width), settings.threshold))
        watch.lap('fuse')
        return CameraRound(masks_hw=masks_hw, timing=watch.timing())


class _StageWatch:
    """Adds up the time of each stage."""

    def __init__(self) -> None:
        self._spent_ns = dict.fromkeys(STAGES, 0)
        self._last_ns = time.perf_counter_ns()

    def lap(self, stage: str) -> None:
        """Count the time since the last lap to a stage."""
        now_ns = time.perf_counter_ns()
        self._spent_ns[stage] += now_ns - self._last_ns
        self._last_ns = now_ns

    def timing(self) -> FrameTiming:
        return FrameTiming(**{f'{stage}_ns': spent for stage, spent in self._spent_ns.items()})


def _fill(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Put cameras together, in order, as long as a batch holds the regions of all."""
    batches: list[list[int]] = []
    room = 0
    for camera, size in enumerate(sizes):
        if not size:
            continue
        if size > room:
            batches.append([])
            room = most
        batches[-1].append(camera)
        room -= size
    return batches


def _sum(timings: Iterable[FrameTiming]) -> FrameTiming:
    each = list(timings)
    return FrameTiming(
        **{f'{stage}_ns': sum(getattr(one, f'{stage}_ns') for one in each) for stage in STAGES}
    )
