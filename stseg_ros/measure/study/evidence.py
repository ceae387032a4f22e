"""What both networks say of a frame, each region asked once whatever the number of choices."""

from __future__ import annotations

import numpy as np

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.backends import open_pair
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.logit_bytes import resize_logit_bytes
from stseg_ros.pipeline.preprocess import FrameSampler
from stseg_ros.records import CoarseResult, Int32Array, UInt8Array

Box = tuple[int, int, int, int]

_BATCH = 8


class StudyNetworks:
    """Both networks of a bundle, opened; `close` frees them.

    Attributes:
        bundle: the bundle.
        note: which backend was taken and why, one line.
    """

    def __init__(self, bundle: ModelBundle, config: PipelineConfig) -> None:
        """Open the networks.

        Args:
            bundle: the verified bundle.
            config: backend, threads and precision.

        Raises:
            EngineError: a network does not open.
        """
        self.bundle = bundle
        geometry = bundle.geometry
        self._batch = min(_BATCH, geometry.max_regions)
        options = EngineOptions(
            threads=config.threads, precision=config.precision, max_batch=self._batch
        )
        self._engines = open_pair(
            bundle.coarse_path, bundle.refine_path, backend=config.backend, options=options
        )
        self.note = self._engines.note
        self._sampler = FrameSampler(
            working_hw=geometry.working_hw, coarse_factor=geometry.coarse_factor
        )

    def coarse(self, image_hwc: UInt8Array) -> CoarseResult:
        """Run stage 1 on a frame.

        Args:
            image_hwc: (H, W, 3) uint8 RGB.

        Returns:
            What it says, in a new array.
        """
        output = self._engines.coarse.infer(self._sampler.coarse(image_hwc))[0]
        return CoarseResult.of_output(np.array(output))

    def refine(
        self,
        image_hwc: UInt8Array,
        boxes_xyxy: Int32Array,
        coarse: CoarseResult,
        enlarged_hw: UInt8Array,
    ) -> UInt8Array:
        """Run stage 2 on regions of a frame.

        Args:
            image_hwc: (H, W, 3) uint8 RGB.
            boxes_xyxy: (K, 4) int32 half-open boxes in working pixels, of any number above 0.
            coarse: what stage 1 said, for a network that sees it.
            enlarged_hw: (h, w) uint8, its logits at the working size.

        Returns:
            (K, h, w) uint8 logits, a new array.
        """
        prior_hw = enlarged_hw if self.bundle.geometry.prior else None
        # Always the same batch, for backends compile a network anew for every other.
        count = len(boxes_xyxy)
        padded_xyxy = boxes_xyxy[np.arange(-(-count // self._batch) * self._batch) % count]
        parts = []
        for first in range(0, count, self._batch):
            some_xyxy = padded_xyxy[first : first + self._batch]
            batch = self._sampler.regions(image_hwc, some_xyxy, prior_hw, coarse.feature_bytes_fhw)
            parts.append(np.array(self._engines.refine.infer(batch)))
        return np.asarray(np.concatenate(parts)[:count], np.uint8)

    def close(self) -> None:
        """Close the networks."""
        self._engines.close()


class FrameEvidence:
    """What the networks say of one frame; regions are refined when first asked for.

    Attributes:
        coarse: stage 1.
        enlarged_hw: (h, w) uint8, the same at the working size.
    """

    def __init__(self, networks: StudyNetworks, image_hwc: UInt8Array) -> None:
        """Run stage 1.

        Args:
            networks: the opened networks.
            image_hwc: (H, W, 3) uint8 RGB.
        """
        self._networks = networks
        self._image_hwc = image_hwc
        self.coarse = networks.coarse(image_hwc)
        self.enlarged_hw = resize_logit_bytes(
            self.coarse.logit_bytes_hw, networks.bundle.geometry.working_hw
        )
        self._refined: dict[Box, UInt8Array] = {}

    def refined(self, boxes_xyxy: Int32Array) -> UInt8Array:
        """Tell what stage 2 says of some regions.

        Args:
            boxes_xyxy: (K, 4) int32 half-open boxes in working pixels.

        Returns:
            (K, h, w) uint8 logits.
        """
        boxes: list[Box] = [(x0, y0, x1, y1) for x0, y0, x1, y1 in boxes_xyxy.tolist()]
        unknown = [box for box in boxes if box not in self._refined]
        if unknown:
            logits_khw = self._networks.refine(
                self._image_hwc, np.array(unknown, np.int32), self.coarse, self.enlarged_hw
            )
            self._refined.update(zip(unknown, logits_khw, strict=True))
        if not boxes:
            return np.empty((0, *self._networks.bundle.geometry.region_hw), np.uint8)
        return np.stack([self._refined[box] for box in boxes])
