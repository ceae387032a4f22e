"""How the published procedure runs networks, and the way that uses the pipeline's own backend.

There, nothing but the procedure differs from the pipeline. The other way, PyTorch as published, is
`stseg_ros.networks.published_pair`.
"""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.backends import open_pair
from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO
from stseg_ros.records import ChannelOrder, Float32Array, UInt8Array

_LOGIT_OF_BYTE: Float32Array = np.asarray(
    (np.arange(256) - ZERO) / STEPS_PER_LOGIT, dtype=np.float32
)


class ReferenceNetworks(Protocol):
    """Both networks, and the form in which they take pictures; that form is their own affair."""

    def load(self, image_hwc: Float32Array, order: ChannelOrder) -> Any:
        """Bring an (H, W, 3) float32 picture of 0 to 255 to the form that `cut` takes."""
        ...

    def cut(self, picture: Any, rows: slice, columns: slice) -> Any:
        """Make a batch of one cell."""
        ...

    def coarse(self, batch: Any) -> Float32Array:
        """Run stage 1 on what `cut` returned; (h, w) float32 logits."""
        ...

    def refine(self, batch: Any) -> Float32Array:
        """Run stage 2 on what `cut` returned; (h, w) float32 logits."""
        ...

    def close(self) -> None:
        """Close both networks."""
        ...


class BackendNetworks:
    """The networks on a backend of the pipeline; they take uint8, in the camera's order."""

    def __init__(self, bundle: ModelBundle, backend: str, config: PipelineConfig) -> None:
        """Open the networks as the pipeline does.

        Args:
            bundle: a bundle whose refine network sees nothing but the image.
            backend: a name in `BACKENDS`.
            config: threads and precision.

        Raises:
            EngineError: the backend does not open them.
        """
        # As in `stseg_ros.assembly`: plans built for the pipeline then serve here.
        options = EngineOptions(
            threads=config.threads,
            precision=config.precision,
            max_batch=bundle.geometry.max_regions,
            usual_batch=bundle.manifest.recommended.regions,
        )
        self._engines = open_pair(
            bundle.coarse_path, bundle.refine_path, backend=backend, options=options
        )

    def load(
        self, image_hwc: Float32Array, order: ChannelOrder
    ) -> tuple[Float32Array, ChannelOrder]:
        """Keep a picture as it is."""
        return image_hwc, order

    def cut(
        self, picture: tuple[Float32Array, ChannelOrder], rows: slice, columns: slice
    ) -> tuple[UInt8Array, ChannelOrder]:
        """Round a cell to a batch of one image of what the networks take."""
        image_hwc, order = picture
        rounded = np.rint(image_hwc[rows, columns]).astype(np.uint8)
        return np.ascontiguousarray(rounded)[None], order

    def coarse(self, batch: tuple[UInt8Array, ChannelOrder]) -> Float32Array:
        """Run stage 1; (h, w) float32 logits."""
        return _logits(self._engines.coarse, batch)

    def refine(self, batch: tuple[UInt8Array, ChannelOrder]) -> Float32Array:
        """Run stage 2; (h, w) float32 logits."""
        return _logits(self._engines.refine, batch)

    def close(self) -> None:
        """Close both networks."""
        self._engines.close()


def _logits(engine: InferenceEngine, batch: tuple[UInt8Array, ChannelOrder]) -> Float32Array:
    return np.asarray(cv2.LUT(engine.infer(*batch)[0], _LOGIT_OF_BYTE), np.float32)
