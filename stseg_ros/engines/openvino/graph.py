"""A whole frame as one graph on OpenVINO's CPU plug-in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.graph_runner import OUTPUTS
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.engines.openvino.engine import cpu_properties, import_openvino, last_line
from stseg_ros.errors import EngineError


class OpenVinoGraph:
    """One graph on OpenVINO; see `GraphRunner`."""

    backend = 'openvino'

    def __init__(self, model: NamedModel, options: EngineOptions) -> None:
        """Compile a graph.

        Args:
            model: the graph.
            options: threads and precision. By default processors that have bfloat16 compute in
                it, the resizing of the image included.

        Raises:
            EngineError: OpenVINO is not installed or does not take the graph.
        """
        self._openvino = openvino = import_openvino()
        try:
            core = openvino.Core()
            compiled = core.compile_model(
                core.read_model(model.content), 'CPU', cpu_properties(options)
            )
            arithmetic = compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()
            cpu = core.get_property('CPU', 'FULL_DEVICE_NAME')
            self._request: Any = compiled.create_infer_request()
        except RuntimeError as err:
            raise EngineError(f'openvino cannot open {model}: {last_line(err)}') from err
        # A tensor that OpenVINO merged with the one before it has both names.
        known = {name for port in compiled.outputs for name in port.get_names()}
        self._outputs = [name for name in OUTPUTS if name in known]
        self.device = f'{cpu} ({arithmetic})'

    def run(
        self, inputs: Mapping[str, npt.NDArray[Any]], *, without: Collection[str] = ()
    ) -> Mapping[str, npt.NDArray[Any]]:
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
                name: np.asarray(self._request.get_tensor(name).data)
                for name in self._outputs
                if name not in without
            }
        except RuntimeError as err:
            raise EngineError(f'openvino failed: {last_line(err)}') from err

    def close(self) -> None:
        """See `GraphRunner.close`."""
        self._request = None
