"""Networks on NVIDIA GPUs, by TensorRT or TensorRT-RTX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu
from stseg_ros.engines.cuda.undo import undone_on_failure
from stseg_ros.engines.engine_protocol import (
    FLOAT32,
    EngineOptions,
    TensorSpec,
    check_batch,
    write_as_rgb,
)
from stseg_ros.engines.plan_build.plans import (
    FP16,
    FP32,
    network_request,
)
from stseg_ros.engines.tensorrt.library import (
    TENSORRT,
    TENSORRT_RTX,
)
from stseg_ros.engines.tensorrt.open_plan import open_nvidia, open_session
from stseg_ros.engines.tensorrt.plan_tensors import PlanTensor
from stseg_ros.engines.tensorrt.session import PlanSession
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder, UInt8Array


class TensorRtEngine:
    """One ONNX network on TensorRT; see `InferenceEngine`.

    The plan is built for the batch sizes that the options name, or taken from the cache. One plan
    serves both channel orders: a batch has to be copied into pinned memory anyway, and the colours
    change places on the way. A batch that does not fit leaves the engine as it was; any other
    failure of `infer` closes it.
    """

    backend = TENSORRT

    def __init__(self, onnx_path: Path, options: EngineOptions) -> None:
        """Build or fetch the plan, load it, and run it once, so that what cannot run is refused.

        Args:
            onnx_path: the network.
            options: batch sizes, precision ('default' is FP16) and form of the logits, and what is
                told of a build; `threads` means nothing here.

        Raises:
            EngineError: a library or the GPU is missing, the network is not taken, or CUDA failed.
        """
        library, gpu, cuda = open_nvidia(self.backend)
        precision = FP32 if options.precision == FLOAT32 else FP16
        request = network_request(
            onnx_path,
            max_batch=options.max_batch,
            usual_batch=options.usual_batch,
            precision=precision,
            logits=options.logits,
        )
        self._gpu, self._precision = gpu, precision
        self._session = open_session(library, gpu, cuda, request, options)
        with undone_on_failure() as undo:
            undo.callback(self._session.close)
            image, logits = only_tensors(self._session)
        self.input = TensorSpec(name=image.name, shape=image.shape, dtype=image.dtype.name)
        # As the network has it; that bytes come out is a step behind it.
        self.output = TensorSpec(name=logits.name, shape=logits.shape, dtype=FLOAT32)
        self.device = describe_device(gpu, precision, self._session)

    def infer(
        self, batch_nhwc: UInt8Array, order: ChannelOrder = ChannelOrder.RGB
    ) -> npt.NDArray[Any]:
        """See `InferenceEngine.infer`."""
        check_batch(batch_nhwc, self.input)
        shape = batch_nhwc.shape
        write_rgb(batch_nhwc, order, self._session.staging(self.input.name, shape))
        logits_nhw = self._session.execute({self.input.name: shape})[self.output.name]
        if self._session.no_graph:
            self.device = describe_device(self._gpu, self._precision, self._session)
        return logits_nhw

    def close(self) -> None:
        """See `InferenceEngine.close`."""
        self._session.close()


class TensorRtRtxEngine(TensorRtEngine):
    """One ONNX network on TensorRT-RTX; see `TensorRtEngine`."""

    backend = TENSORRT_RTX


def only_tensors(session: PlanSession) -> tuple[PlanTensor, PlanTensor]:
    """Return the one input and the one output of a plan.

    Args:
        session: the loaded plan.

    Returns:
        Input and output.

    Raises:
        EngineError: there are more.
    """
    if len(session.inputs) != 1 or len(session.outputs) != 1:
        names = ', '.join(tensor.name for tensor in (*session.inputs, *session.outputs))
        raise EngineError(f'the network has {names}; expected one input and one output')
    return session.inputs[0], session.outputs[0]


def write_rgb(batch_nhwc: UInt8Array, order: ChannelOrder, out_nhwc: UInt8Array) -> None:
    """Copy a batch, with its colours in the network's order.

    Args:
        batch_nhwc: (N, h, w, C) uint8, C-contiguous.
        order: order of its three colours.
        out_nhwc: where to; the same shape, C-contiguous.
    """
    if order is ChannelOrder.RGB:
        np.copyto(out_nhwc, batch_nhwc)
        return
    write_as_rgb(batch_nhwc, out_nhwc)


def describe_device(gpu: NvidiaGpu, precision: str, session: PlanSession) -> str:
    """Say what a session runs on, for people.

    Args:
        gpu: the GPU.
        precision: 'fp16' or 'fp32'.
        session: the session, after its first run.

    Returns:
        Such as 'NVIDIA GeForce RTX 4090 (fp16, CUDA graph)'.
    """
    graph = f'no CUDA graph: {session.no_graph}' if session.no_graph else 'CUDA graph'
    return f'{gpu.name} ({precision}, {graph})'
