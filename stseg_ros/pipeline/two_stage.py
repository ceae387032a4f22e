"""The order of the stages, and their timing; nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from stseg_ros.config import LEARNED, SegmenterSettings
from stseg_ros.logit_bytes import resize_logit_bytes
from stseg_ros.pipeline.fuse import merge_regions, threshold_mask
from stseg_ros.pipeline.preprocess import FrameSampler, check_frame
from stseg_ros.pipeline.segmenter import check_regions
from stseg_ros.records import (
    ChannelOrder,
    CoarseResult,
    Frame,
    FrameTiming,
    SegmentationResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stseg_ros.bundle import Geometry
    from stseg_ros.engines.backends import EnginePair
    from stseg_ros.pipeline.merge_table import MergeTable
    from stseg_ros.pipeline.selectors.region_selector import RegionSelector

_WARM_UP_FRAMES = 3


class TwoStageSegmenter:
    """Segments frames in two stages. It belongs to the thread that calls `segment`.

    Attributes:
        geometry: the sizes of the networks.
        backend: name of the inference backend.
        backend_note: which backend was taken and why, one line.
        wants_logits: means nothing here, where the logits are at hand in any case.
    """

    def __init__(
        self,
        *,
        geometry: Geometry,
        engines: EnginePair,
        selector: RegionSelector,
        settings: SegmenterSettings,
        merge_table: MergeTable | None = None,
    ) -> None:
        """Take over the opened networks; `close` closes them.

        Args:
            geometry: the sizes of the networks.
            engines: the opened networks.
            selector: chooses the regions.
            settings: see `settings`.
            merge_table: of fusion 'learned', which cannot be set without it.

        Raises:
            ConfigError: the settings ask for more regions than the refine network takes.
        """
        self.geometry = geometry
        self.backend = engines.refine.backend
        self.backend_note = engines.note
        self.wants_logits = True
        self._engines = engines
        self._selector = selector
        self._merge_table = merge_table
        self._sampler = FrameSampler(
            working_hw=geometry.working_hw, coarse_factor=geometry.coarse_factor
        )
        self.settings = settings

    @property
    def device(self) -> str:
        """What the networks run on, as it is now: an engine may have had to give something up."""
        coarse, refine = self._engines.coarse.device, self._engines.refine.device
        return refine if coarse == refine else f'{refine}; coarse: {coarse}'

    @property
    def max_regions(self) -> int:
        """The most regions that one frame may refine."""
        return self.geometry.max_regions

    @property
    def settings(self) -> SegmenterSettings:
        """What may change between frames; any thread may assign it at any time."""
        return self._settings

    @settings.setter
    def settings(self, settings: SegmenterSettings) -> None:
        check_regions(settings, self.geometry)
        assert settings.fusion != LEARNED or self._merge_table is not None
        self._settings = settings

    def segment(
        self, frame: Frame, limit_regions: Callable[[int], int] | None = None
    ) -> SegmentationResult:
        """Segment one frame.

        Args:
            frame: the camera image, of any size and aspect ratio.
            limit_regions: asked once the coarse result is there: given the most regions that the
                settings allow, it returns how many this frame may refine.

        Returns:
            The mask at the camera's size with what led to it; the engines hold none of it.

        Raises:
            FrameError: the frame cannot be used.
            EngineError: a network failed.
        """
        check_frame(frame)
        settings, image_hwc, order = self._settings, frame.image_hwc, frame.channel_order
        clock = [time.perf_counter_ns()]

        batch = self._sampler.coarse(image_hwc)
        clock.append(time.perf_counter_ns())

        coarse = CoarseResult.of_output(self._engines.coarse.infer(batch, order)[0])
        clock.append(time.perf_counter_ns())

        regions = settings.regions
        if limit_regions is not None:
            regions = limit_regions(regions)
        selection = self._selector.select(
            coarse, regions=regions, refine_below=settings.refine_below
        )
        fused_hw = resize_logit_bytes(coarse.logit_bytes_hw, self.geometry.working_hw)
        if len(selection):
            prior_hw = fused_hw if self.geometry.prior else None
            batch = self._sampler.regions(
                image_hwc, selection.boxes_xyxy, prior_hw, coarse.feature_bytes_fhw
            )
        clock.append(time.perf_counter_ns())

        if len(selection):
            refined_khw = self._engines.refine.infer(batch, order)
        clock.append(time.perf_counter_ns())

        if len(selection):
            merge_regions(
                fused_hw, selection.boxes_xyxy, refined_khw, settings.fusion, self._merge_table
            )
        height, width = image_hwc.shape[:2]
        mask_hw = threshold_mask(fused_hw, (height, width), settings.threshold)
        clock.append(time.perf_counter_ns())

        return SegmentationResult(
            mask_hw=mask_hw,
            logit_bytes_hw=fused_hw,
            selection=selection,
            timing=_timing(clock),
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
        )

    def warm_up(self) -> None:
        """Segment black frames, so that the first real one does not pay for first-time work."""
        height, width = self.geometry.working_hw
        # Larger than the working size, so that every resizing runs too.
        image_hwc = np.zeros((height * 3 // 2, width * 3 // 2, 3), np.uint8)
        # Each channel order has its own compiled networks.
        for order in (ChannelOrder.RGB, ChannelOrder.BGR):
            frame = Frame(image_hwc=image_hwc, channel_order=order)
            for _ in range(_WARM_UP_FRAMES):
                self.segment(frame)
        if self._selector.varies or self._settings.refine_below < 1.0:
            # Backends prepare a batch size when it first comes: not while a camera waits. Some
            # keep the latest ones, so that small numbers, the usual ones, are the last.
            self.time_regions(range(self._settings.regions, 0, -1))

    def time_regions(self, counts: Iterable[int]) -> dict[int, int]:
        """Refine black regions in batches of these sizes, so that backends have prepared them.

        Args:
            counts: numbers of regions, above 0.

        Returns:
            The refine network's shortest time by number of regions, ns.

        Raises:
            EngineError: the network failed.
        """
        shape = (*self.geometry.region_hw, self.geometry.refine_channels)
        shortest_ns = {}
        for count in counts:
            batch = np.zeros((count, *shape), np.uint8)
            times_ns = []
            for order in ChannelOrder:
                for _ in range(_WARM_UP_FRAMES):
                    started_ns = time.perf_counter_ns()
                    self._engines.refine.infer(batch, order)
                    times_ns.append(time.perf_counter_ns() - started_ns)
            shortest_ns[count] = min(times_ns)
        return shortest_ns

    def close(self) -> None:
        """Close the networks."""
        self._engines.close()


def _timing(clock_ns: list[int]) -> FrameTiming:
    """Turn the six readings around the five stages into durations."""
    preprocess, coarse, select, refine, fuse = np.diff(clock_ns).tolist()
    return FrameTiming(
        preprocess_ns=preprocess,
        coarse_ns=coarse,
        select_ns=select,
        refine_ns=refine,
        fuse_ns=fuse,
    )
