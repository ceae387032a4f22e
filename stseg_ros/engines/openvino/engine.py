"""OpenVINO on the CPU: the default where there is no GPU, and the fastest measured there."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.engine_protocol import (
    BYTES,
    FROM_BGR,
    EngineOptions,
    TensorSpec,
    check_batch,
)
from stseg_ros.engines.openvino.fold_batch import fold_batch
from stseg_ros.errors import EngineError
from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO
from stseg_ros.records import ChannelOrder, UInt8Array

# A network compiled for one batch size runs about a tenth faster than one with a free batch axis,
# and compiling takes some 50 ms; each keeps a copy of the weights, so only the latest sizes stay:
# the eight that a latency budget chooses from, in both orders of the channels.
_COMPILED_KEPT = 16


class OpenVinoEngine:
    """One ONNX network on OpenVINO's CPU plug-in; see `InferenceEngine`."""

    backend = 'openvino'

    def __init__(self, onnx_path: Path, options: EngineOptions) -> None:
        """Read the network and compile it once, so that what cannot run is refused here.

        Args:
            onnx_path: the network.
            options: threads, precision and form of the logits; every batch size is compiled when
                it first comes.

        Raises:
            EngineError: OpenVINO is not installed or does not take the network.
        """
        self._openvino = openvino = import_openvino()
        self._compiled: OrderedDict[tuple[int, ChannelOrder], Any] = OrderedDict()
        self._as_bytes = options.logits == BYTES
        self._properties = cpu_properties(options)
        try:
            self._core = openvino.Core()
            self._model = self._core.read_model(onnx_path)
            self.input = _spec(self._model.input(0))
            self.output = _spec(self._model.output(0))
            first = self._request(self.input.shape[0] or 1, ChannelOrder.RGB)
            compiled = first.get_compiled_model()
            arithmetic = compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()
            cpu = self._core.get_property('CPU', 'FULL_DEVICE_NAME')
        except RuntimeError as err:
            raise EngineError(f'openvino cannot open {onnx_path}: {last_line(err)}') from err
        self.device = f'{cpu} ({arithmetic})'

    def infer(
        self, batch_nhwc: UInt8Array, order: ChannelOrder = ChannelOrder.RGB
    ) -> npt.NDArray[Any]:
        """See `InferenceEngine.infer`."""
        if self._model is None:
            raise EngineError('openvino: the network is closed')
        check_batch(batch_nhwc, self.input)
        try:
            request = self._request(len(batch_nhwc), order)
            # OpenVINO shares only what it may write to.
            tensor = self._openvino.Tensor(batch_nhwc, shared_memory=batch_nhwc.flags.writeable)
            request.set_input_tensor(tensor)
            request.infer()
            logits = request.get_output_tensor().data
        except RuntimeError as err:
            raise EngineError(f'openvino failed: {last_line(err)}') from err
        return np.asarray(logits)

    def close(self) -> None:
        """See `InferenceEngine.close`."""
        self._compiled.clear()
        self._model = None

    def _request(self, batch: int, order: ChannelOrder) -> Any:
        """Return the inference request for one kind of batch, compiling it at first need."""
        request = self._compiled.get((batch, order))
        if request is None:
            model = self._model.clone()
            model.reshape([batch, *self.input.shape[1:]])
            fold_batch(model)
            request = self._core.compile_model(
                self._with_steps_around(model, order), 'CPU', self._properties
            ).create_infer_request()
            self._compiled[batch, order] = request
            if len(self._compiled) > _COMPILED_KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end((batch, order))
        return request

    def _with_steps_around(self, model: Any, order: ChannelOrder) -> Any:
        """Add the channels' order and the bytes to the graph, where they cost next to nothing."""
        from openvino import opset13
        from openvino.preprocess import PrePostProcessor

        def from_bgr(batch_nhwc: Any) -> Any:
            channels = np.array(FROM_BGR[: self.input.shape[-1]])
            return opset13.gather(batch_nhwc, opset13.constant(channels), 3).output(0)

        def to_bytes(logits_nhw: Any) -> Any:
            steps = opset13.multiply(logits_nhw, opset13.constant(np.float32(STEPS_PER_LOGIT)))
            around_zero = opset13.add(steps, opset13.constant(np.float32(ZERO)))
            rounded = opset13.round(around_zero, 'half_to_even')
            return opset13.convert(opset13.clamp(rounded, 0.0, 255.0), 'u8').output(0)

        steps = PrePostProcessor(model)
        if order is ChannelOrder.BGR:
            steps.input().preprocess().custom(from_bgr)
        if self._as_bytes:
            steps.output().postprocess().custom(to_bytes)
        return steps.build()


def _spec(port: Any) -> TensorSpec:
    """Describe an input or output of an OpenVINO model."""
    shape = tuple(
        None if dimension.is_dynamic else dimension.get_length()
        for dimension in port.get_partial_shape()
    )
    return TensorSpec(
        name=port.get_any_name(),
        shape=shape,
        dtype=np.dtype(port.get_element_type().to_dtype()).name,
    )


def import_openvino() -> Any:
    """Import OpenVINO.

    Returns:
        The module.

    Raises:
        EngineError: it is not installed.
    """
    try:
        import openvino
    except ImportError as err:
        raise EngineError(
            f'openvino is not installed ({err}); pip install openvino, or take another backend'
        ) from err
    return openvino


def cpu_properties(options: EngineOptions) -> dict[str, Any]:
    """Translate options into properties of OpenVINO's CPU plug-in.

    Args:
        options: threads and precision.

    Returns:
        What compiling a model takes.
    """
    properties: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY'}
    if options.threads:
        properties['INFERENCE_NUM_THREADS'] = options.threads
    if options.precision == 'float32':
        properties['INFERENCE_PRECISION_HINT'] = 'f32'
    return properties


def last_line(err: Exception) -> str:
    """Shorten OpenVINO's many-line messages to the line that says what is wrong.

    Args:
        err: what it raised.

    Returns:
        The last line that is not empty, or the error's type.
    """
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[-1] if lines else type(err).__name__
