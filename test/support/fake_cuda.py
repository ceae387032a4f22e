"""A stand-in for cuda-python's runtime module: it keeps the books, and fails where it is told.

It computes nothing. What it holds the code to: statuses are looked at, memory is used within its
bounds and not after it was freed, everything is freed once, and no recording waits or frees.
"""

# ruff: noqa: ARG002, N801, N802, N815 (the names and signatures are NVIDIA's)

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Any


class cudaError_t(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900


class cudaMemcpyKind(Enum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(Enum):
    cudaStreamCaptureModeThreadLocal = 1


class Stream(int):
    """A stream's handle; cuda-python's can be turned into a number, too."""


class FakeCuda:
    """The functions of `cuda.bindings.runtime` that the package calls, by the same names.

    Attributes:
        calls: the names of all calls that can fail, in order, and what others add to it.
        fail_at: index in `calls` of the call that fails; None for none.
        is_sticky: whether every call after that fails, too, as after an illegal access.
        thrown: what a library's bindings raise where a call of theirs fails; None has them say so.
        live: everything that was made and not freed yet, oldest first.
        freed: the kinds of what was freed, in order.
        recording: whether a stream is being captured.
    """

    cudaStreamNonBlocking = 1
    cudaHostAllocDefault = 0
    cudaMemcpyKind = cudaMemcpyKind
    cudaStreamCaptureMode = cudaStreamCaptureMode

    def __init__(
        self,
        fail_at: int | None = None,
        *,
        is_sticky: bool = False,
        thrown: type[Exception] | None = None,
    ) -> None:
        self.calls: list[str] = []
        self.fail_at = fail_at
        self.is_sticky = is_sticky
        self.thrown = thrown
        self.live: dict[tuple[str, int], int] = {}
        self.freed: list[str] = []
        self.recording = False
        self.error_is_set = False
        self._pinned: dict[int, Any] = {}
        self._numbers = iter(range(0x1000, 0x10000000, 0x1000))

    def enter(self, name: str) -> bool:
        """Note a call; True where it is to fail."""
        self.calls.append(name)
        since = -1 if self.fail_at is None else len(self.calls) - 1 - self.fail_at
        return since == 0 or (self.is_sticky and since > 0)

    def _do(self, name: str, work: Callable[[], Any], *, results: int = 1) -> tuple[Any, ...]:
        if self.enter(name):
            self.error_is_set = True
            return (cudaError_t.cudaErrorIllegalAddress, *[None] * results)
        done = work()
        return (cudaError_t.cudaSuccess, done) if results else (cudaError_t.cudaSuccess,)

    def _make(self, kind: str, size: int = 0) -> int:
        number = next(self._numbers)
        self.live[kind, number] = size
        return number

    def _free(self, kind: str, number: int) -> None:
        assert not self.recording, f'{kind} freed while recording'
        assert (kind, number) in self.live, f'{kind} {number:#x} is not there to be freed'
        self.forget(kind, number)

    def forget(self, kind: str, number: int) -> None:
        """Note that something is gone, by whoever's doing."""
        del self.live[kind, number]
        self.freed.append(kind)

    def cudaSetDevice(self, device: int) -> tuple[Any, ...]:
        assert device == 0
        return self._do('cudaSetDevice', lambda: None, results=0)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:
        assert flags == self.cudaStreamNonBlocking
        return self._do('cudaStreamCreateWithFlags', lambda: Stream(self._make('stream')))

    def cudaStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        return self._do('cudaStreamDestroy', lambda: self._free('stream', stream), results=0)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        assert ('stream', stream) in self.live
        assert not self.recording, 'a recording cannot wait'
        return self._do('cudaStreamSynchronize', lambda: None, results=0)

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        return self._do('cudaMalloc', lambda: self._make('device', size))

    def cudaFree(self, address: int) -> tuple[Any, ...]:
        return self._do('cudaFree', lambda: self._free('device', address), results=0)

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[Any, ...]:
        def allocate() -> int:
            memory = (ctypes.c_uint8 * size)()
            address = ctypes.addressof(memory)
            self._pinned[address] = memory
            self.live['pinned', address] = size
            return address

        return self._do('cudaHostAlloc', allocate)

    def cudaFreeHost(self, address: int) -> tuple[Any, ...]:
        return self._do('cudaFreeHost', lambda: self._free('pinned', address), results=0)

    def cudaMemcpyAsync(
        self, to: int, source: int, size: int, kind: cudaMemcpyKind, stream: int
    ) -> tuple[Any, ...]:
        upwards = kind is cudaMemcpyKind.cudaMemcpyHostToDevice
        host, device = (source, to) if upwards else (to, source)
        assert 0 < size <= self.live['pinned', host]
        assert size <= self.live['device', device]
        assert ('stream', stream) in self.live
        return self._do('cudaMemcpyAsync', lambda: None, results=0)

    def cudaStreamBeginCapture(self, stream: int, mode: cudaStreamCaptureMode) -> tuple[Any, ...]:
        assert ('stream', stream) in self.live
        assert not self.recording

        def begin() -> None:
            self.recording = True

        return self._do('cudaStreamBeginCapture', begin, results=0)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Any, ...]:
        assert self.recording, 'nothing is recorded'
        self.recording = False
        return self._do('cudaStreamEndCapture', lambda: self._make('graph'))

    def cudaGraphInstantiateWithFlags(self, graph: int, flags: int) -> tuple[Any, ...]:
        assert ('graph', graph) in self.live
        return self._do('cudaGraphInstantiateWithFlags', lambda: self._make('executable'))

    def cudaGraphLaunch(self, executable: int, stream: int) -> tuple[Any, ...]:
        assert ('executable', executable) in self.live
        assert ('stream', stream) in self.live
        return self._do('cudaGraphLaunch', lambda: None, results=0)

    def cudaGraphDestroy(self, graph: int) -> tuple[Any, ...]:
        return self._do('cudaGraphDestroy', lambda: self._free('graph', graph), results=0)

    def cudaGraphExecDestroy(self, executable: int) -> tuple[Any, ...]:
        return self._do(
            'cudaGraphExecDestroy', lambda: self._free('executable', executable), results=0
        )

    def cudaGetLastError(self) -> tuple[Any, ...]:
        self.error_is_set = False
        return (cudaError_t.cudaSuccess,)

    def cudaGetErrorName(self, status: cudaError_t) -> tuple[Any, ...]:
        return cudaError_t.cudaSuccess, status.name.encode()

    def cudaGetErrorString(self, status: cudaError_t) -> tuple[Any, ...]:
        return cudaError_t.cudaSuccess, b'what it means'
