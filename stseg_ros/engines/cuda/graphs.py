"""Work that is recorded once and then replayed with a single call, as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.engines.cuda.undo import undone_on_failure


class CapturedGraph:
    """A recording of copies and kernels with their addresses and sizes; `close` frees it."""

    def __init__(self, cuda: CudaRuntime, stream: Any, enqueue: Callable[[], None]) -> None:
        """Record.

        Args:
            cuda: the runtime.
            stream: the stream to record on; nothing waits in it, and it is usable after a failure.
            enqueue: queues the work on `stream`; it has run before, so that first-time work, which
                cannot be recorded, is done.

        Raises:
            EngineError: something in the work cannot be recorded.
        """
        self._cuda = cuda
        cuda.begin_capture(stream)
        try:
            enqueue()
        except BaseException:
            cuda.abandon_capture(stream)
            raise
        with undone_on_failure() as made:
            graph = cuda.end_capture(stream)
            made.callback(cuda.destroy_graph, graph)
            self._executable: Any = cuda.instantiate(graph)
            made.callback(cuda.destroy_executable, self._executable)
        self._made = made

    def launch(self, stream: Any) -> None:
        """Queue the recorded work.

        Args:
            stream: the stream to queue it on.

        Raises:
            EngineError: CUDA refused.
        """
        self._cuda.launch(self._executable, stream)

    def close(self) -> None:
        """Free the recording; a second call does nothing.

        Raises:
            EngineError: CUDA failed, which an earlier failure of the device may be the cause of.
        """
        self._made.close()
