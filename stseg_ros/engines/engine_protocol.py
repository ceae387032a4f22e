"""What the pipeline needs of an inference backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder, UInt8Array

BYTES = 'bytes'
FLOAT32 = 'float32'

# Where each channel of RGB, and of what stage 1 says of each pixel, lies in a batch of BGR: the
# colours change places, and up to 17 further channels, logits and features, stay where they are.
FROM_BGR = (2, 1, 0, *range(3, 20))
_COLOURS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Name, shape and element type of a network's input or output.

    Attributes:
        name: the tensor's name in the ONNX graph.
        shape: axis lengths; None where the network takes any length.
        dtype: NumPy name of the element type, such as 'uint8'.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How to open a network.

    Attributes:
        threads: CPU threads of one network; 0 leaves the choice to the backend.
        precision: 'default' takes the backend's fastest arithmetic, 'float32' asks for exact FP32.
        max_batch: the largest batch that will be asked for.
        usual_batch: the batch to be fast at, where a backend has to choose; 0 takes the largest.
        logits: what `InferenceEngine.infer` returns: 'bytes', see `stseg_ros.logit_bytes`, or
            'float32' as the network computes them.
        progress: told the share done, 0 to 1, and the phase where opening takes long; last 1 and
            '', when nothing is being built any more.
        stop: asked several times a second where opening takes long; True gives up.
    """

    threads: int = 0
    precision: str = 'default'
    max_batch: int = 1
    usual_batch: int = 0
    logits: str = BYTES
    progress: Callable[[float, str], None] | None = None
    stop: Callable[[], bool] | None = None


class InferenceEngine(Protocol):
    """One network, opened and ready.

    The network maps uint8 NHWC RGB to float32 NHW logits; normalisation is inside the graph. The
    steps around it, from the camera's channel order and to bytes, belong to the engine, because
    most backends do them at next to no cost inside the graph. An engine belongs to the thread that
    runs it.

    Attributes:
        backend: name of the backend, such as 'openvino'.
        device: what it runs on and in which arithmetic, for people.
        input: the network's input tensor.
        output: the network's output tensor.
    """

    backend: str
    device: str
    input: TensorSpec
    output: TensorSpec

    def infer(
        self, batch_nhwc: UInt8Array, order: ChannelOrder = ChannelOrder.RGB
    ) -> npt.NDArray[Any]:
        """Run the network on a batch.

        Args:
            batch_nhwc: (N, h, w, 3) uint8, C-contiguous, possibly read-only, or with what stage 1
                says of each pixel as further channels.
            order: order of the three colours.

        Returns:
            (N, h, w) logits, uint8 or float32 as `EngineOptions.logits` asks, complete on return,
            valid until the next call or `close`. (N, 1 + F, h, w) of a coarse network that gives
            features: those come after the logits and are handled alike.

        Raises:
            EngineError: the batch does not fit the network, or the backend failed.
        """
        ...

    def close(self) -> None:
        """Free what the backend holds; a second call does nothing."""
        ...


def check_batch(batch_nhwc: UInt8Array, spec: TensorSpec) -> None:
    """Refuse a batch that does not fit a network's input.

    Args:
        batch_nhwc: what is to be inferred.
        spec: the network's input.

    Raises:
        EngineError: shape or element type differ from the network's, or the batch is empty.
    """
    fits = batch_nhwc.ndim == len(spec.shape) and all(
        expected in (None, actual)
        for expected, actual in zip(spec.shape, batch_nhwc.shape, strict=True)
    )
    if not fits or batch_nhwc.dtype.name != spec.dtype or batch_nhwc.size == 0:
        expected_shape = 'x'.join('N' if axis is None else str(axis) for axis in spec.shape)
        actual_shape = 'x'.join(str(axis) for axis in batch_nhwc.shape)
        raise EngineError(
            f'{spec.name}: got {batch_nhwc.dtype} {actual_shape}, '
            f'the network takes {spec.dtype} {expected_shape}'
        )


def as_rgb(batch_nhwc: UInt8Array, order: ChannelOrder) -> UInt8Array:
    """Bring a batch into the network's channel order, for backends that cannot do it themselves.

    Args:
        batch_nhwc: (N, h, w, C) uint8, C-contiguous.
        order: order of its three colours, which come first.

    Returns:
        The same where it is RGB, else a new array.
    """
    if order is ChannelOrder.RGB:
        return batch_nhwc
    rgb_nhwc = np.empty_like(batch_nhwc)
    write_as_rgb(batch_nhwc, rgb_nhwc)
    return rgb_nhwc


def write_as_rgb(bgr_nhwc: UInt8Array, out_nhwc: UInt8Array) -> None:
    """Copy a batch of BGR, with its colours as RGB.

    Args:
        bgr_nhwc: (N, h, w, C) uint8, C-contiguous; the colours come first.
        out_nhwc: where to; the same shape, C-contiguous.
    """
    count, height, width, channels = bgr_nhwc.shape
    rows_hwc = (count * height, width, channels)
    given_hwc, rgb_hwc = bgr_nhwc.reshape(rows_hwc), out_nhwc.reshape(rows_hwc)
    if channels > _COLOURS + 1:
        pairs = [place for pair in zip(FROM_BGR, range(channels), strict=False) for place in pair]
        cv2.mixChannels([given_hwc], [rgb_hwc], pairs)
        return
    swap = cv2.COLOR_BGR2RGB if channels == _COLOURS else cv2.COLOR_BGRA2RGBA
    cv2.cvtColor(given_hwc, swap, dst=rgb_hwc)
