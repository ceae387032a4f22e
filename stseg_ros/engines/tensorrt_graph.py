"""A whole frame as one graph on an NVIDIA GPU, by TensorRT or TensorRT-RTX."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.engine_protocol import FLOAT32, EngineOptions
from stseg_ros.engines.tensorrt_build import FP16, FP32, BuildRequest
from stseg_ros.engines.tensorrt_engine import describe_device, open_nvidia, open_session
from stseg_ros.engines.tensorrt_library import TENSORRT, TENSORRT_RTX


class TensorRtGraph:
    """One graph on TensorRT; see `GraphRunner`. Any failure of `run` closes it."""

    backend = TENSORRT

    def __init__(self, model: bytes, options: EngineOptions) -> None:
        """Build or fetch the plan of a graph, load it, and run it once on zeros.

        Args:
            model: the serialised ONNX model; all its shapes are fixed.
            options: precision ('default' is FP16), and what is told of a build.

        Raises:
            EngineError: a library or the GPU is missing, the graph is not taken, or CUDA failed.
        """
        library, gpu, cuda = open_nvidia(self.backend)
        precision = FP32 if options.precision == FLOAT32 else FP16
        with tempfile.TemporaryDirectory() as folder:
            # The cache goes by the content, so the name does not matter.
            onnx_path = Path(folder) / 'frame.onnx'
            onnx_path.write_bytes(model)
            request = BuildRequest(onnx_path=onnx_path, precision=precision)
            self._session = open_session(library, cuda, request, options)
        self.run(
            {
                tensor.name: np.zeros(tensor.largest, tensor.dtype)
                for tensor in self._session.inputs
            }
        )
        self.device = describe_device(gpu, precision, self._session)

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
        """See `GraphRunner.run`."""
        shapes = {}
        for tensor in self._session.inputs:
            array = inputs[tensor.name]
            np.copyto(self._session.staging(tensor.name, array.shape), array)
            shapes[tensor.name] = array.shape
        return self._session.execute(shapes)

    def close(self) -> None:
        """See `GraphRunner.close`."""
        self._session.close()


class TensorRtRtxGraph(TensorRtGraph):
    """One graph on TensorRT-RTX; see `TensorRtGraph`."""

    backend = TENSORRT_RTX
