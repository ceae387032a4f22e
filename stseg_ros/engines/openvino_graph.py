"""A whole frame as one graph on OpenVINO's CPU plug-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.graph_runner import OUTPUTS
from stseg_ros.errors import EngineError


class OpenVinoGraph:
    """One graph on OpenVINO; see `GraphRunner`."""

    backend = 'openvino'

    def __init__(self, model: bytes, options: EngineOptions) -> None:
        """Compile a graph.

        Args:
            model: the serialised ONNX model.
            options: threads and precision. By default processors that have bfloat16 compute in
                it, the resizing of the image included.

        Raises:
            EngineError: OpenVINO is not installed or does not take the graph.
        """
        try:
            import openvino
        except ImportError as err:
            raise EngineError(
                f'openvino is not installed ({err}); pip install openvino, or take another backend'
            ) from err
        self._openvino = openvino
        properties: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY'}
        if options.threads:
            properties['INFERENCE_NUM_THREADS'] = options.threads
        if options.precision == 'float32':
            properties['INFERENCE_PRECISION_HINT'] = 'f32'
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(model), 'CPU', properties)
            arithmetic = compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()
            cpu = core.get_property('CPU', 'FULL_DEVICE_NAME')
            self._request: Any = compiled.create_infer_request()
        except RuntimeError as err:
            raise EngineError(
                f'openvino cannot open the graph of a frame: {_reason(err)}'
            ) from err
        # A tensor that OpenVINO merged with the one before it has both names.
        known = {name for port in compiled.outputs for name in port.get_names()}
        self._outputs = [name for name in OUTPUTS if name in known]
        self.device = f'{cpu} ({arithmetic})'

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
        """See `GraphRunner.run`."""
        if self._request is None:
            raise EngineError('openvino: the graph is closed')
        try:
            for name, array in inputs.items():
                # OpenVINO shares only what it may write to; a message's image is read-only.
                tensor = self._openvino.Tensor(array, shared_memory=array.flags.writeable)
                self._request.set_tensor(name, tensor)
            self._request.infer()
            return {
                name: np.asarray(self._request.get_tensor(name).data) for name in self._outputs
            }
        except RuntimeError as err:
            raise EngineError(f'openvino failed: {_reason(err)}') from err

    def close(self) -> None:
        """See `GraphRunner.close`."""
        self._request = None


def _reason(err: Exception) -> str:
    """Take of OpenVINO's many-line messages the last line, which says what is wrong."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[-1] if lines else type(err).__name__
