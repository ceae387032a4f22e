"""The baseline: one network on the whole frame at the working size."""

from __future__ import annotations

import time

import numpy as np

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.backends import open_engine
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.errors import BundleError
from stseg_ros.pipeline.fuse import threshold_mask
from stseg_ros.pipeline.preprocess import FrameSampler, check_frame
from stseg_ros.records import Frame, FrameTiming, RegionSelection, SegmentationResult


class WholeFrameSegmenter:
    """Segments frames in one stage, with the same resizing before and after as in two."""

    def __init__(self, bundle: ModelBundle, backend: str, config: PipelineConfig) -> None:
        """Open the bundle's whole-frame network.

        Args:
            bundle: a bundle that has one.
            backend: a name in `BACKENDS`.
            config: threads and precision.

        Raises:
            BundleError: the network does not fit the bundle's geometry.
            EngineError: the backend does not open it.
        """
        assert bundle.whole_path is not None
        self._working_hw = bundle.geometry.working_hw
        self._sampler = FrameSampler(
            working_hw=self._working_hw, coarse_factor=bundle.geometry.coarse_factor
        )
        options = EngineOptions(threads=config.threads, precision=config.precision)
        self._engine = open_engine(backend, bundle.whole_path, options)
        expected = (1, *self._working_hw, 3), (1, *self._working_hw)
        if (self._engine.input.shape, self._engine.output.shape) != expected:
            found = self._engine.input.shape, self._engine.output.shape
            self._engine.close()
            raise BundleError(
                f'{bundle.whole_path}: maps {found[0]} to {found[1]}, the working size in '
                f'bundle.yaml asks for {expected[0]} to {expected[1]}; export the bundle again'
            )

    def segment(self, frame: Frame, threshold: float) -> SegmentationResult:
        """Segment one frame.

        Args:
            frame: the camera image, of any size.
            threshold: vehicle where the probability is above this.

        Returns:
            The mask at the camera's size; no region is refined.

        Raises:
            FrameError: the frame cannot be used.
            EngineError: the network failed.
        """
        check_frame(frame)
        clock = [time.perf_counter_ns()]
        working_hwc = np.ascontiguousarray(self._sampler.whole(frame.image_hwc))
        clock.append(time.perf_counter_ns())

        # A copy, for the engine's own array is valid until the next frame only.
        logit_bytes_hw = self._engine.infer(working_hwc[None], frame.channel_order)[0].copy()
        clock.append(time.perf_counter_ns())

        height, width = frame.image_hwc.shape[:2]
        mask_hw = threshold_mask(logit_bytes_hw, (height, width), threshold)
        clock.append(time.perf_counter_ns())
        preprocess, network, fuse = np.diff(clock).tolist()

        return SegmentationResult(
            mask_hw=mask_hw,
            logit_bytes_hw=logit_bytes_hw,
            selection=RegionSelection(
                boxes_xyxy=np.empty((0, 4), np.int32), score=np.empty(0, np.float32)
            ),
            timing=FrameTiming(preprocess_ns=preprocess, coarse_ns=network, fuse_ns=fuse),
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
        )

    def close(self) -> None:
        """Close the network."""
        self._engine.close()
