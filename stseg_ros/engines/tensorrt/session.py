"""Runs a plan: buffers, one stream, and a recorded CUDA graph for every set of shapes."""

from __future__ import annotations

import math
import threading
import traceback
from collections import OrderedDict
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import numpy.typing as npt

from stseg_ros.engines.cuda.buffers import allocate_pair
from stseg_ros.engines.cuda.graphs import CapturedGraph
from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.engines.cuda.undo import undone_on_failure
from stseg_ros.engines.tensorrt.bound_context import BoundContext, Shape
from stseg_ros.engines.tensorrt.kernel_store import KernelStore
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.engines.tensorrt.loaded_plan import LoadedPlan
from stseg_ros.errors import EngineError

# A context and its graph take some megabytes; what is used least gives way.
_CONTEXTS_KEPT = 32


class PlanSession:
    """A plan, ready to run. It may change threads between calls, not during one.

    Inputs are copied through pinned memory, and one call waits once, for the outputs. The first
    run with new shapes does what has to be done once, and is recorded afterwards; later ones
    replay the recording, copies included.

    After a failure on the device nothing there can be relied on, so the session is closed then,
    and later calls say what the failure was.

    Attributes:
        inputs: the plan's inputs.
        outputs: the plan's outputs.
        no_graph: why runs are not recorded, in one line; empty where they are.
    """

    def __init__(
        self,
        library: TensorRtLibrary,
        plan: bytes,
        cuda: CudaRuntime,
        kernels: KernelStore | None = None,
    ) -> None:
        """Load a plan and allocate what it needs; what was got is freed if that fails.

        Args:
            library: what the plan was built with.
            plan: the serialized plan.
            cuda: the runtime.
            kernels: has the kernels that earlier runs compiled, and is given those of this one.

        Raises:
            PlanRejectedError: the library does not load the plan.
            EngineError: CUDA failed, or there is not enough memory.
        """
        self._name = library.name
        self._cuda = cuda
        self._kernels = kernels
        self._contexts: OrderedDict[tuple[Shape, ...], BoundContext] = OrderedDict()
        self._closed_since = ''
        self.no_graph = ''
        cuda.select_device()
        self._thread = threading.get_ident()
        with undone_on_failure() as resources:
            self._plan = LoadedPlan(library, plan, kernels.load() if kernels else None)
            resources.callback(self._plan.close)
            self._stream = cuda.new_stream()
            resources.callback(cuda.destroy_stream, self._stream)
            self._scratch = cuda.allocate_device(self._plan.scratch_bytes)
            resources.callback(cuda.free_device, self._scratch)
            self.inputs, self.outputs = self._plan.inputs, self._plan.outputs
            self._buffers = {
                tensor.name: allocate_pair(cuda, tensor.largest_bytes, resources)
                for tensor in (*self.inputs, *self.outputs)
            }
            # Last, so that it comes first: recordings name the buffers' addresses.
            resources.callback(self._close_contexts)
        self._resources = resources

    def staging(self, name: str, shape: Shape) -> npt.NDArray[Any]:
        """Return the pinned memory of an input, to be filled before `execute`.

        Args:
            name: the input.
            shape: the shape it will have; no larger than the plan takes.

        Returns:
            An array of that shape, valid until the next call of `execute` or `close`.

        Raises:
            EngineError: the session is closed.
        """
        self._check_open()
        tensor = next(tensor for tensor in self.inputs if tensor.name == name)
        if len(shape) != len(tensor.largest) or any(
            axis > most for axis, most in zip(shape, tensor.largest, strict=True)
        ):
            raise EngineError(
                f'{name}: got {shape}, the plan was built for up to {tensor.largest}'
            )
        return self._buffers[name].view(shape, tensor.dtype)

    def execute(
        self, shapes: Mapping[str, Shape], without: Collection[str] = ()
    ) -> dict[str, npt.NDArray[Any]]:
        """Run the plan on what lies in the inputs' pinned memory.

        Args:
            shapes: the shape of every input.
            without: outputs that stay on the device.

        Returns:
            The other outputs by name, complete, valid until the next call or `close`.

        Raises:
            EngineError: the library or CUDA failed, and the session is closed now.
        """
        self._check_open()
        outputs = [tensor for tensor in self.outputs if tensor.name not in without]
        try:
            all_shapes = self._run(shapes, tuple(tensor.name for tensor in outputs))
        except EngineError as err:
            self._closed_since = f'{self._name}: the network is closed since it failed: {err}'
            # They hold the context that failed, which has to go before what it uses.
            traceback.clear_frames(err.__traceback__)
            # What fails while freeing is a consequence of the failure that is being raised.
            with suppress(EngineError):
                self._resources.close()
            raise EngineError(f'{self._name} failed: {err}') from err
        return {
            tensor.name: self._buffers[tensor.name].view(all_shapes[tensor.name], tensor.dtype)
            for tensor in outputs
        }

    def save_kernels(self) -> None:
        """Keep what was compiled for the shapes that ran; failing at it only costs time."""
        if self._kernels is not None:
            with suppress(EngineError):
                self._take_device()
                self._kernels.save(self._plan.compiled_kernels())

    def close(self) -> None:
        """Keep what was compiled, and free everything, in the reverse order of its making.

        A second call does nothing.

        Raises:
            EngineError: CUDA failed at freeing something; the rest is freed all the same.
        """
        if not self._closed_since:
            self._closed_since = f'{self._name}: the network is closed'
            self.save_kernels()
        self._resources.close()

    def _run(self, input_shapes: Mapping[str, Shape], wanted: tuple[str, ...]) -> dict[str, Shape]:
        """Run to the end, from a recording where there is one; return all shapes."""
        self._take_device()
        bound = self._bound_context(tuple(input_shapes[tensor.name] for tensor in self.inputs))
        graph = bound.graphs.get(wanted)
        if graph is not None:
            graph.launch(self._stream)
        else:
            self._enqueue(bound, wanted)
        self._cuda.synchronize(self._stream)
        if graph is None and not self.no_graph:
            self._record(bound, wanted)
        return bound.shapes

    def _check_open(self) -> None:
        if self._closed_since:
            raise EngineError(self._closed_since)

    def _take_device(self) -> None:
        """Make the device the calling thread's."""
        if threading.get_ident() != self._thread:
            self._cuda.select_device()
            self._thread = threading.get_ident()

    def _bound_context(self, input_shapes: tuple[Shape, ...]) -> BoundContext:
        """Return the context of these shapes, making it at first need."""
        bound = self._contexts.get(input_shapes)
        if bound is None:
            if len(self._contexts) == _CONTEXTS_KEPT:
                _, oldest = self._contexts.popitem(last=False)
                oldest.close()
            bound = self._new_bound_context(input_shapes)
            self._contexts[input_shapes] = bound
        self._contexts.move_to_end(input_shapes)
        return bound

    def _new_bound_context(self, input_shapes: tuple[Shape, ...]) -> BoundContext:
        context = self._plan.new_context()
        self._plan.give_scratch(context, self._scratch)
        shapes = {
            tensor.name: shape for tensor, shape in zip(self.inputs, input_shapes, strict=True)
        }
        addresses = {name: buffer.device for name, buffer in self._buffers.items()}
        shapes |= self._plan.bind(context, shapes, addresses)
        sizes_bytes = {
            tensor.name: math.prod(shapes[tensor.name]) * tensor.dtype.itemsize
            for tensor in (*self.inputs, *self.outputs)
        }
        return BoundContext(context=context, shapes=shapes, sizes_bytes=sizes_bytes)

    def _enqueue(self, bound: BoundContext, wanted: tuple[str, ...]) -> None:
        """Queue the inputs' copies, the network, and the copies of the outputs that are wanted."""
        for tensor in self.inputs:
            buffer, size_bytes = self._buffers[tensor.name], bound.sizes_bytes[tensor.name]
            self._cuda.copy_to_device(buffer.device, buffer.host_address, size_bytes, self._stream)
        self._plan.enqueue(bound.context, int(self._stream))
        for name in wanted:
            buffer, size_bytes = self._buffers[name], bound.sizes_bytes[name]
            self._cuda.copy_to_host(buffer.host_address, buffer.device, size_bytes, self._stream)

    def _record(self, bound: BoundContext, wanted: tuple[str, ...]) -> None:
        """Record a run, so that the next ones replay it; where that fails, go on without."""
        try:
            if not self._plan.can_be_recorded(bound.context, int(self._stream)):
                self.no_graph = 'the plan cannot be recorded'
                return
            enqueue = partial(self._enqueue, bound, wanted)
            bound.graphs[wanted] = CapturedGraph(self._cuda, self._stream, enqueue)
        # Whatever it was, runs that are not recorded show whether the device is at fault.
        except EngineError as err:
            self.no_graph = str(err)

    def _close_contexts(self) -> None:
        """Free the recordings, and only then the contexts that they were made from."""
        with ExitStack() as made:
            made.callback(self._contexts.clear)
            for bound in self._contexts.values():
                made.callback(bound.close)
