"""A whole frame as one graph on ONNX Runtime's CPU provider: the reference for parity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy.typing as npt

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.engines.onnxruntime.engine import open_session
from stseg_ros.errors import EngineError


class OnnxRuntimeGraph:
    """One graph on ONNX Runtime; see `GraphRunner`."""

    backend = 'onnxruntime'
    device = 'CPU (float32)'

    def __init__(self, model: NamedModel, options: EngineOptions) -> None:
        """Open a graph.

        Args:
            model: the graph.
            options: threads; the arithmetic is float32 in any case.

        Raises:
            EngineError: ONNX Runtime is not installed or does not take the graph.
        """
        session = open_session(model.content, options.threads, title=model.name)
        self._session: Any = session
        self._outputs = [output.name for output in session.get_outputs()]

    def run(
        self, inputs: Mapping[str, npt.NDArray[Any]], *, without: Collection[str] = ()
    ) -> Mapping[str, npt.NDArray[Any]]:
        """See `GraphRunner.run`."""
        if self._session is None:
            raise EngineError('onnxruntime: the graph is closed')
        wanted = [name for name in self._outputs if name not in without]
        try:
            arrays = self._session.run(wanted, dict(inputs))
        except Exception as err:
            raise EngineError(f'onnxruntime failed: {err}') from err
        return dict(zip(wanted, arrays, strict=True))

    def close(self) -> None:
        """See `GraphRunner.close`."""
        self._session = None
