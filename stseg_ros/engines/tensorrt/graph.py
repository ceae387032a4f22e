"""A whole frame as one graph on an NVIDIA GPU, by TensorRT or TensorRT-RTX."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.engine_protocol import FLOAT32, EngineOptions
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.engines.plan_build.plans import FP16, FP32
from stseg_ros.engines.plan_build.request import graph_request
from stseg_ros.engines.tensorrt.engine import describe_device
from stseg_ros.engines.tensorrt.library import TENSORRT, TENSORRT_RTX
from stseg_ros.engines.tensorrt.open_plan import open_nvidia, open_session


class TensorRtGraph:
    """One graph on TensorRT; see `GraphRunner`. Any failure of `run` closes it."""

    backend = TENSORRT

    def __init__(self, model: NamedModel, options: EngineOptions) -> None:
        """Build or fetch the plan of a graph, load it, and run it once on zeros.

        Args:
            model: the graph; all its shapes are fixed.
            options: precision ('default' is FP16), and what is told of a build.

        Raises:
            EngineError: a library or the GPU is missing, the graph is not taken, or CUDA failed.
        """
        library, gpu, cuda = open_nvidia(self.backend)
        precision = FP32 if options.precision == FLOAT32 else FP16
        self._session = open_session(
            library, gpu, cuda, graph_request(model, precision=precision), options
        )
        self._gpu, self._precision = gpu, precision
        self.device = describe_device(gpu, precision, self._session)

    def run(
        self, inputs: Mapping[str, npt.NDArray[Any]], *, without: Collection[str] = ()
    ) -> Mapping[str, npt.NDArray[Any]]:
        """See `GraphRunner.run`."""
        shapes = {}
        for tensor in self._session.inputs:
            array = inputs[tensor.name]
            np.copyto(self._session.staging(tensor.name, array.shape), array)
            shapes[tensor.name] = array.shape
        outputs = self._session.execute(shapes, without)
        if self._session.no_graph:
            self.device = describe_device(self._gpu, self._precision, self._session)
        return outputs

    def close(self) -> None:
        """See `GraphRunner.close`."""
        self._session.close()


class TensorRtRtxGraph(TensorRtGraph):
    """One graph on TensorRT-RTX; see `TensorRtGraph`."""

    backend = TENSORRT_RTX
