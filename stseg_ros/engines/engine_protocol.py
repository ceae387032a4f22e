"""What the pipeline needs of an inference backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stseg_ros.errors import EngineError
from stseg_ros.records import Float32Array, UInt8Array


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
    """

    threads: int = 0
    precision: str = 'default'
    max_batch: int = 1


class InferenceEngine(Protocol):
    """One network, opened and ready.

    Input is uint8 NHWC RGB, output float32 NHW logits; normalisation is inside the graph. An
    engine belongs to the thread that runs it.

    Attributes:
        backend: name of the backend, such as 'openvino'.
        device: what it runs on and in which arithmetic, for people.
        input: the input tensor.
        output: the output tensor.
    """

    backend: str
    device: str
    input: TensorSpec
    output: TensorSpec

    def infer(self, batch_nhwc: UInt8Array) -> Float32Array:
        """Run the network on a batch.

        Args:
            batch_nhwc: (N, h, w, 3) uint8 RGB, C-contiguous.

        Returns:
            (N, h, w) float32 logits, complete on return, valid until the next call or `close`.

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
