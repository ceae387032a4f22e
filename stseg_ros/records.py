"""The records that pass between the stages, and their conventions.

Axes are named by suffix: ``_hwc`` is (rows, columns, channels), ``_khw`` a stack of K maps. Boxes
are ``_xyxy``, half-open, in pixels: ``image[y0:y1, x0:x1]``. Sizes are ``_hw``, times ``_ns``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

import numpy as np
import numpy.typing as npt

# Named twice, so that type checkers see that these records offer them.
from stseg_ros.logit_bytes import Float32Array as Float32Array  # noqa: PLC0414
from stseg_ros.logit_bytes import UInt8Array as UInt8Array  # noqa: PLC0414
from stseg_ros.logit_bytes import probability, resize_logit_bytes

Int32Array = npt.NDArray[np.int32]


class ChannelOrder(str, Enum):
    """Order of the three colour channels in memory."""

    RGB = 'rgb'
    BGR = 'bgr'


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One decoded camera image.

    Attributes:
        image_hwc: (H, W, 3) uint8; may be a read-only view of a message's buffer.
        channel_order: order of the channels of `image_hwc`.
        stamp_ns: time of exposure from the message header, ns since the ROS epoch.
        frame_id: coordinate frame of the camera, from the message header.
    """

    image_hwc: UInt8Array
    channel_order: ChannelOrder = ChannelOrder.RGB
    stamp_ns: int = 0
    frame_id: str = ''


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoarseResult:
    """What stage 1 says of the whole frame.

    Attributes:
        logit_bytes_hw: (h, w) uint8 vehicle logits at the coarse resolution, see `logit_bytes`.
        feature_bytes_fhw: (F, h, w) uint8 features for stage 2 on the same scale; None for a
            network that gives none.
    """

    logit_bytes_hw: UInt8Array
    feature_bytes_fhw: UInt8Array | None = None

    @classmethod
    def of_output(cls, output: UInt8Array) -> CoarseResult:
        """Take apart what a coarse network gave for one frame.

        Args:
            output: (h, w) uint8 logits, or (1 + F, h, w) uint8 logits and features.

        Returns:
            Views of it.
        """
        if output.ndim == 2:
            return cls(logit_bytes_hw=output)
        return cls(logit_bytes_hw=output[0], feature_bytes_fhw=output[1:])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionSelection:
    """The regions that stage 2 refines, least confident first.

    Attributes:
        boxes_xyxy: (K, 4) int32 half-open boxes in working-size pixels; K may be 0.
        score: (K,) float32 confidence of each region in [0, 1]; 0 is pure doubt.
    """

    boxes_xyxy: Int32Array
    score: Float32Array

    def __len__(self) -> int:
        """Return K, the number of regions."""
        return len(self.boxes_xyxy)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTiming:
    """Wall time of one frame by stage, in ns; `coarse` and `refine` are the bare network calls.

    Attributes:
        decode_ns: message to image array.
        preprocess_ns: camera size to working size, and the coarse network's input.
        coarse_ns: the coarse network.
        select_ns: region scores, choice, and cutting the regions out into one batch.
        refine_ns: the refine network on that batch.
        fuse_ns: merging, resizing to the camera's size, threshold.
        encode_ns: mask array to message.
    """

    decode_ns: int = 0
    preprocess_ns: int = 0
    coarse_ns: int = 0
    select_ns: int = 0
    refine_ns: int = 0
    fuse_ns: int = 0
    encode_ns: int = 0

    @property
    def total_ns(self) -> int:
        """Sum of all stages."""
        return sum(int(getattr(self, field.name)) for field in fields(self))

    @property
    def pipeline_ns(self) -> int:
        """Decoded image to mask array: everything but decode and encode."""
        return self.total_ns - self.decode_ns - self.encode_ns

    @property
    def networks_ns(self) -> int:
        """The two network calls alone."""
        return self.coarse_ns + self.refine_ns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentationResult:
    """The segmentation of one frame. It owns its arrays.

    Attributes:
        mask_hw: (H, W) uint8 at the camera's size; 255 is vehicle, 0 is not.
        logit_bytes_hw: (h, w) uint8 fused logits at the working size, see `logit_bytes`; None
            where the segmenter was told that nobody wants them: no method here can then be called.
        selection: the refined regions, boxes in working-size pixels.
        timing: wall time of each stage.
        stamp_ns: the frame's stamp.
        frame_id: the frame's coordinate frame.
    """

    mask_hw: UInt8Array
    logit_bytes_hw: UInt8Array | None
    selection: RegionSelection
    timing: FrameTiming
    stamp_ns: int
    frame_id: str

    def wanted_logit_bytes_hw(self) -> UInt8Array:
        """Return the logits of a result that was asked for with them.

        Returns:
            `logit_bytes_hw`.
        """
        assert self.logit_bytes_hw is not None, 'segmented with wants_logits off'
        return self.logit_bytes_hw

    def probability_hw(self) -> Float32Array:
        """Compute the vehicle probability at the camera's size.

        Returns:
            (H, W) float32 in (0, 1).
        """
        height, width = self.mask_hw.shape
        return probability(resize_logit_bytes(self.wanted_logit_bytes_hw(), (height, width)))

    def label_confidence_hw(self) -> UInt8Array:
        """Compute the probability of the label that the mask gives each pixel.

        Returns:
            (H, W) uint8, 255 for certainty.
        """
        probability = self.probability_hw()
        label = np.where(self.mask_hw > 0, probability, 1.0 - probability)
        return np.rint(label * 255.0).astype(np.uint8)

    def boxes_in_camera_xyxy(self) -> Int32Array:
        """Scale the refined regions to the camera's size.

        Returns:
            (K, 4) int32 half-open boxes in camera pixels.
        """
        height, width = self.mask_hw.shape
        working_height, working_width = self.wanted_logit_bytes_hw().shape
        scale_xy = np.array([width / working_width, height / working_height] * 2)
        boxes_xyxy: Int32Array = np.rint(self.selection.boxes_xyxy * scale_xy).astype(np.int32)
        return boxes_xyxy


def sigmoid(logits: Float32Array) -> Float32Array:
    """Map logits to probabilities without overflow.

    Args:
        logits: float32 of any shape.

    Returns:
        float32 of the same shape in [0, 1].
    """
    half = np.tanh(logits * np.float32(0.5))
    return np.asarray(np.float32(0.5) * half + np.float32(0.5), dtype=np.float32)
