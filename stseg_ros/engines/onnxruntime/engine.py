"""ONNX Runtime on the CPU: portable, exact FP32, the reference for parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.engine_protocol import (
    BYTES,
    EngineOptions,
    TensorSpec,
    as_rgb,
    check_batch,
)
from stseg_ros.errors import EngineError
from stseg_ros.logit_bytes import to_bytes
from stseg_ros.records import ChannelOrder, UInt8Array

_DTYPES = {'tensor(uint8)': 'uint8', 'tensor(float)': 'float32', 'tensor(float16)': 'float16'}


class OnnxRuntimeEngine:
    """One ONNX network on ONNX Runtime's CPU provider; see `InferenceEngine`."""

    backend = 'onnxruntime'
    device = 'CPU (float32)'

    def __init__(self, onnx_path: Path, options: EngineOptions) -> None:
        """Open the network.

        Args:
            onnx_path: the network.
            options: threads and form of the logits; ONNX Runtime's CPU provider computes in
                float32 in any case.

        Raises:
            EngineError: ONNX Runtime is not installed or does not take the network.
        """
        session = open_session(onnx_path, options.threads, title=str(onnx_path))
        self._session: Any = session
        self._as_bytes = options.logits == BYTES
        self.input = _spec(session.get_inputs()[0])
        self.output = _spec(session.get_outputs()[0])

    def infer(
        self, batch_nhwc: UInt8Array, order: ChannelOrder = ChannelOrder.RGB
    ) -> npt.NDArray[Any]:
        """See `InferenceEngine.infer`."""
        if self._session is None:
            raise EngineError('onnxruntime: the network is closed')
        check_batch(batch_nhwc, self.input)
        try:
            (logits,) = self._session.run(
                [self.output.name], {self.input.name: as_rgb(batch_nhwc, order)}
            )
        except Exception as err:
            raise EngineError(f'onnxruntime failed: {err}') from err
        logits_nhw = np.asarray(logits, np.float32)
        return to_bytes(logits_nhw) if self._as_bytes else logits_nhw

    def close(self) -> None:
        """See `InferenceEngine.close`."""
        self._session = None


def open_session(model: Path | bytes, threads: int, *, title: str) -> Any:
    """Open a model on ONNX Runtime's CPU provider.

    Args:
        model: an ONNX file, or a serialised model.
        threads: CPU threads; 0 leaves the choice to ONNX Runtime.
        title: what the model is, for the error.

    Returns:
        The `onnxruntime.InferenceSession`.

    Raises:
        EngineError: ONNX Runtime is not installed or does not take the model.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise EngineError(
            f'onnxruntime is not installed ({err}); pip install onnxruntime, '
            'or take another backend'
        ) from err
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = threads
    session_options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            model, session_options, providers=['CPUExecutionProvider']
        )
    # ONNX Runtime's exceptions share no base of their own below Exception.
    except Exception as err:
        raise EngineError(f'onnxruntime cannot open {title}: {err}') from err


def _spec(node: Any) -> TensorSpec:
    """Describe an input or output of a session."""
    shape = tuple(axis if isinstance(axis, int) else None for axis in node.shape)
    return TensorSpec(name=node.name, shape=shape, dtype=_DTYPES.get(node.type, node.type))
