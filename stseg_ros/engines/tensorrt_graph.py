"""A whole frame as one graph on an NVIDIA GPU, by TensorRT or TensorRT-RTX."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.engine_protocol import FLOAT32, EngineOptions
from stseg_ros.engines.tensorrt_build import FP16, FP32, BuildRequest
from stseg_ros.engines.tensorrt_engine import describe_device, open_nvidia, open_session
from stseg_ros.engines.tensorrt_library import TENSORRT, TENSORRT_RTX
from stseg_ros.errors import EngineError

# What messages name, since the file does not outlive the build.
_SUBJECT = 'the graph of a frame'


class TensorRtGraph:
    """One graph on TensorRT; see `GraphRunner`. Any failure of `run` closes it."""

    backend = TENSORRT

    def __init__(self, model: bytes, options: EngineOptions) -> None:
        """Build or fetch the plan of a graph, load it, and run it once on zeros.

        Args:
            model: the serialised ONNX model; all its shapes are fixed.
            options: precision ('default' is FP16), and what is told of a build.

        Raises:
            EngineError: a library or the GPU is missing, the graph is not taken, CUDA failed, or
                no temporary file can be written.
        """
        library, gpu, cuda = open_nvidia(self.backend)
        precision = FP32 if options.precision == FLOAT32 else FP16
        with _as_file(model) as onnx_path:
            request = BuildRequest(onnx_path=onnx_path, precision=precision)
            self._session = open_session(library, cuda, request, options)
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


@contextmanager
def _as_file(model: bytes) -> Iterator[Path]:
    """Write a model where the builder reads it, and keep that place out of messages.

    Raises:
        EngineError: there is no room for it, or the block failed.
    """
    with ExitStack() as written:
        try:
            folder = written.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            # The cache goes by the content, so the name does not matter.
            onnx_path = Path(folder) / 'frame.onnx'
            onnx_path.write_bytes(model)
        except OSError as err:
            raise EngineError(
                f'{_SUBJECT} needs a temporary file, which cannot be written ({err.strerror}); '
                'set TMPDIR to a folder with some free megabytes'
            ) from err
        try:
            yield onnx_path
        except EngineError as err:
            place = str(onnx_path)
            if place not in str(err):
                raise
            raise type(err)(str(err).replace(place, _SUBJECT)) from err
