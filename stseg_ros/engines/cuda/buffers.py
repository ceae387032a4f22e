"""Buffers that exist twice, in pinned host memory and on the device."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.records import UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BufferPair:
    """Room for one tensor on both sides.

    Attributes:
        host: (size,) uint8, the pinned host memory itself; using it after it was freed is fatal.
        host_address: where that lies.
        device: address of the memory on the device.
    """

    host: UInt8Array
    host_address: int
    device: int

    def view(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return the beginning of the host memory as an array.

        Args:
            shape: the array's shape; it fits the buffer.
            dtype: its element type.

        Returns:
            A view, valid as long as the buffer.
        """
        return np.ndarray(shape, dtype, self.host)


def allocate_pair(cuda: CudaRuntime, size_bytes: int, freed_by: ExitStack) -> BufferPair:
    """Allocate a buffer on both sides.

    Args:
        cuda: the runtime.
        size_bytes: its size, 1 or more.
        freed_by: frees both sides when it is closed, also if the second cannot be had.

    Returns:
        The buffer; what is in it is undefined.

    Raises:
        EngineError: there is not enough memory on one side.
    """
    host_address = cuda.allocate_pinned(size_bytes)
    freed_by.callback(cuda.free_pinned, host_address)
    device = cuda.allocate_device(size_bytes)
    freed_by.callback(cuda.free_device, device)
    memory = (ctypes.c_uint8 * size_bytes).from_address(host_address)
    return BufferPair(
        host=np.frombuffer(memoryview(memory), np.uint8), host_address=host_address, device=device
    )
