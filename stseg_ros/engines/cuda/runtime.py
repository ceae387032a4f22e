"""CUDA's runtime through cuda-python: the few calls the engines need, every status checked."""

from __future__ import annotations

import importlib
from typing import Any, NoReturn

from stseg_ros.errors import EngineError

_INSTALL = "pip install 'cuda-python>=12,<13' for CUDA 12, cuda-python for CUDA 13"
_SUCCESS = 0


def open_cuda_runtime() -> CudaRuntime:
    """Import cuda-python's runtime module; no device is touched.

    Returns:
        The runtime.

    Raises:
        EngineError: cuda-python is not installed, or does not load; names what to install.
    """
    try:
        return CudaRuntime(_import_module())
    except ImportError as err:
        raise EngineError(f'cuda-python does not import ({err}); {_INSTALL}') from err


class CudaRuntime:
    """Streams, memory, copies and graphs of the first CUDA device.

    Devices are chosen by `CUDA_VISIBLE_DEVICES`. Addresses are plain numbers; streams and graphs
    are cuda-python's own objects. Every method raises EngineError with CUDA's name for what went
    wrong, except where it says that it does not.
    """

    def __init__(self, module: Any) -> None:
        """Wrap the module.

        Args:
            module: `cuda.bindings.runtime`, or one with the same functions.
        """
        self._module = module

    def select_device(self) -> None:
        """Make the first device the calling thread's, and start CUDA there if need be."""
        self._call('cudaSetDevice', 0)

    def new_stream(self) -> Any:
        """Return a new stream that does not wait for the default one."""
        return self._call('cudaStreamCreateWithFlags', self._module.cudaStreamNonBlocking)

    def destroy_stream(self, stream: Any) -> None:
        """Free a stream."""
        self._call('cudaStreamDestroy', stream)

    def synchronize(self, stream: Any) -> None:
        """Wait until a stream's work is done; what failed in it until now is raised here."""
        self._call('cudaStreamSynchronize', stream)

    def allocate_device(self, size_bytes: int) -> int:
        """Return the address of new device memory."""
        return int(self._call('cudaMalloc', size_bytes))

    def free_device(self, address: int) -> None:
        """Free device memory."""
        self._call('cudaFree', address)

    def allocate_pinned(self, size_bytes: int) -> int:
        """Return the address of new host memory that the device copies from and to directly."""
        return int(self._call('cudaHostAlloc', size_bytes, self._module.cudaHostAllocDefault))

    def free_pinned(self, address: int) -> None:
        """Free pinned host memory."""
        self._call('cudaFreeHost', address)

    def copy_to_device(self, device: int, host: int, size_bytes: int, stream: Any) -> None:
        """Queue a copy from pinned host memory."""
        kind = self._module.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call('cudaMemcpyAsync', device, host, size_bytes, kind, stream)

    def copy_to_host(self, host: int, device: int, size_bytes: int, stream: Any) -> None:
        """Queue a copy into pinned host memory."""
        kind = self._module.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call('cudaMemcpyAsync', host, device, size_bytes, kind, stream)

    def begin_capture(self, stream: Any) -> None:
        """Record what is queued on a stream from now on instead of running it."""
        # Other threads may go on using CUDA meanwhile.
        mode = self._module.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call('cudaStreamBeginCapture', stream, mode)

    def end_capture(self, stream: Any) -> Any:
        """Stop recording and return the graph."""
        return self._call('cudaStreamEndCapture', stream)

    def abandon_capture(self, stream: Any) -> None:
        """Bring a stream back to normal after a recording went wrong; raises nothing."""
        status, *graph = self._module.cudaStreamEndCapture(stream)
        if int(status) == _SUCCESS:
            self._module.cudaGraphDestroy(*graph)
        self._module.cudaGetLastError()

    def instantiate(self, graph: Any) -> Any:
        """Return the executable form of a graph."""
        # Unlike cudaGraphInstantiate, this one has the same arguments in CUDA 11, 12 and 13.
        return self._call('cudaGraphInstantiateWithFlags', graph, 0)

    def launch(self, executable: Any, stream: Any) -> None:
        """Queue an executable graph."""
        self._call('cudaGraphLaunch', executable, stream)

    def destroy_graph(self, graph: Any) -> None:
        """Free a graph."""
        self._call('cudaGraphDestroy', graph)

    def destroy_executable(self, executable: Any) -> None:
        """Free an executable graph."""
        self._call('cudaGraphExecDestroy', executable)

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a function and return its one result, or None where it has none."""
        status, *results = getattr(self._module, name)(*arguments)
        if int(status) != _SUCCESS:
            self._fail(name, status)
        return results[0] if results else None

    def _fail(self, name: str, status: Any) -> NoReturn:
        """Clear CUDA's memory of the error where that can be cleared, and raise it."""
        self._module.cudaGetLastError()
        _, error = self._module.cudaGetErrorName(status)
        _, text = self._module.cudaGetErrorString(status)
        raise EngineError(f'{name} failed: {_decode(error)} ({_decode(text)})')


def _import_module() -> Any:
    try:
        return importlib.import_module('cuda.bindings.runtime')
    except ModuleNotFoundError:
        # Its name before cuda-python 12.6; cuda-python 13 no longer has it.
        return importlib.import_module('cuda.cudart')


def _decode(text: bytes | None) -> str:
    return (text or b'no text').decode(errors='replace')
