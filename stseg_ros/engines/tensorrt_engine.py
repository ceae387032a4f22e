"""Networks on NVIDIA GPUs, by TensorRT or TensorRT-RTX."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.engines.cuda_runtime import CudaRuntime, open_cuda_runtime
from stseg_ros.engines.cuda_undo import undone_on_failure
from stseg_ros.engines.engine_cache import EngineCache
from stseg_ros.engines.engine_protocol import FLOAT32, EngineOptions, TensorSpec, check_batch
from stseg_ros.engines.nvidia_gpu import NvidiaGpu, find_gpu
from stseg_ros.engines.tensorrt_build import (
    FP16,
    FP32,
    BuildRequest,
    FoundPlan,
    find_or_build,
    network_request,
    plan_key,
)
from stseg_ros.engines.tensorrt_library import (
    TENSORRT,
    TENSORRT_RTX,
    TensorRtLibrary,
    load_library,
)
from stseg_ros.engines.tensorrt_plan import PlanRejectedError, PlanTensor
from stseg_ros.engines.tensorrt_session import PlanSession
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder, UInt8Array

NO_GPU = 'no NVIDIA GPU with a driver on this machine'


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
        self._session = open_session(library, cuda, request, options)
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


def open_nvidia(name: str) -> tuple[TensorRtLibrary, NvidiaGpu, CudaRuntime]:
    """Get hold of all that running a plan needs.

    Args:
        name: 'tensorrt' or 'tensorrt_rtx'.

    Returns:
        The library, the GPU and CUDA's runtime.

    Raises:
        EngineError: one of them is missing; names what to install.
    """
    gpu = find_gpu()
    try:
        library = load_library(name)
        cuda = open_cuda_runtime()
    except EngineError as err:
        # Whoever has no GPU should learn it before installing anything.
        raise err if gpu is not None else EngineError(f'{err}; but there is {NO_GPU}') from err
    if gpu is None:
        raise EngineError(f'{name}: {NO_GPU}; install the driver, or take another backend')
    return library, gpu, cuda


def open_session(
    library: TensorRtLibrary, cuda: CudaRuntime, request: BuildRequest, options: EngineOptions
) -> PlanSession:
    """Build a plan or take it from the cache, load it, and run it once on zeros.

    A kept plan that does not load or run is set aside and built again, once. Where a failed run
    has left CUDA unusable that fails, too, and the next process builds it.

    Args:
        library: the library.
        cuda: the runtime.
        request: what to build.
        options: what is told of a build, and what stops it.

    Returns:
        The session; first-time work of the usual shapes is done.

    Raises:
        EngineError: the plan cannot be built, or a new one does not load or run.
    """
    cache = EngineCache()

    def find() -> FoundPlan:
        return find_or_build(library, request, cache, progress=options.progress, stop=options.stop)

    found = find()
    try:
        return _open_and_run(library, cuda, request, found.plan)
    except PlanRejectedError as err:
        if not found.was_cached:
            raise
        cache.set_aside(plan_key(library, request), str(err))
    return _open_and_run(library, cuda, request, find().plan)


def _open_and_run(
    library: TensorRtLibrary, cuda: CudaRuntime, request: BuildRequest, plan: bytes
) -> PlanSession:
    """Load a plan and run it once, at the shapes that it is to be fast at.

    Raises:
        PlanRejectedError: it does not load, or the run failed.
        EngineError: CUDA failed before, or there is not enough memory.
    """
    session = PlanSession(library, plan, cuda)
    usual = {profile.name: profile.usual for profile in request.profiles}
    shapes = {tensor.name: usual.get(tensor.name, tensor.largest) for tensor in session.inputs}
    try:
        for name, shape in shapes.items():
            session.staging(name, shape)[...] = 0
        session.execute(shapes)
    except EngineError as err:
        # It has closed itself, unless the shapes did not fit.
        with suppress(EngineError):
            session.close()
        raise PlanRejectedError(f'the first run failed: {err}') from err
    return session


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
        batch_nhwc: (N, h, w, 3 or 4) uint8, C-contiguous.
        order: order of its three colours.
        out_nhwc: where to; the same shape, C-contiguous.
    """
    if order is ChannelOrder.RGB:
        np.copyto(out_nhwc, batch_nhwc)
        return
    count, height, width, channels = batch_nhwc.shape
    swap = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA
    rows_hwc = (count * height, width, channels)
    cv2.cvtColor(batch_nhwc.reshape(rows_hwc), swap, dst=out_nhwc.reshape(rows_hwc))


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
