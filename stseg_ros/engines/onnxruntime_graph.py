"""A whole frame as one graph on ONNX Runtime's CPU provider: the reference for parity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.onnxruntime_engine import open_session
from stseg_ros.errors import EngineError


class OnnxRuntimeGraph:
    """One graph on ONNX Runtime; see `GraphRunner`."""

    backend = 'onnxruntime'
    device = 'CPU (float32)'

    def __init__(self, model: bytes, options: EngineOptions) -> None:
        """Open a graph.

        Args:
            model: the serialised ONNX model.
            options: threads; the arithmetic is float32 in any case.

        Raises:
            EngineError: ONNX Runtime is not installed or does not take the graph.
        """
        session = open_session(model, options.threads, title='the graph of a frame')
        self._session: Any = session
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
        """See `GraphRunner.run`."""
        if self._session is None:
            raise EngineError('onnxruntime: the graph is closed')
        try:
            arrays = self._session.run(self._outputs, dict(inputs))
        except Exception as err:
            raise EngineError(f'onnxruntime failed: {err}') from err
        return dict(zip(self._outputs, arrays, strict=True))

    def close(self) -> None:
        """See `GraphRunner.close`."""
        self._session = None
