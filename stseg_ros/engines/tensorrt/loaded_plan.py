"""A plan loaded by TensorRT or TensorRT-RTX: its tensors, and contexts that run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from stseg_ros.engines.tensorrt.library import TensorRtLibrary, make_logger, one_line
from stseg_ros.engines.tensorrt.plan_tensors import describe_tensors, set_shape
from stseg_ros.errors import EngineError

# The library wants its scratch memory aligned, and an address even where it needs none.
_LEAST_SCRATCH_BYTES = 256


class PlanRejectedError(EngineError):
    """A plan does not load or does not run: it was built for something else, or is damaged."""


class LoadedPlan:
    """A plan on the device. What the library's bindings raise becomes an EngineError here.

    Attributes:
        inputs: its inputs.
        outputs: its outputs.
        scratch_bytes: device memory that one running context needs.
    """

    def __init__(
        self, library: TensorRtLibrary, plan: bytes, kernels: bytes | None = None
    ) -> None:
        """Load a plan on the calling thread's CUDA device.

        Args:
            library: what it was built with.
            plan: the serialized plan.
            kernels: from `compiled_kernels` of an earlier run; what the library does not take
                back it compiles again.

        Raises:
            PlanRejectedError: the library does not load it.
            EngineError: the library does not start, or the plan has a tensor of a type that is
                unknown here.
        """
        self._library = library
        self._logger = make_logger(library)
        self._kernels = kernels
        self._runtime_cache: Any = None
        with self._bindings('does not start'):
            self._runtime: Any = library.module.Runtime(self._logger.handle)
        with self._bindings('does not load the plan', PlanRejectedError):
            self._engine: Any = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise PlanRejectedError(
                f'{library.name} {library.version} does not load the plan: {self.reason()}'
            )
        with self._bindings('cannot describe the plan'):
            self.inputs, self.outputs = describe_tensors(
                library.module, self._engine, self.new_context()
            )
            self.scratch_bytes = max(_scratch_bytes(self._engine), _LEAST_SCRATCH_BYTES)

    def new_context(self) -> Any:
        """Make a context, which runs the plan for one set of shapes.

        Contexts have no scratch memory of their own, so that those that never run at the same time
        can share it; see `give_scratch`.

        Returns:
            The library's execution context.

        Raises:
            EngineError: there is not enough memory.
        """
        with self._bindings('cannot make a context'):
            context = self._make_context()
        if context is None:
            raise EngineError(f'{self._library.name} cannot make a context: {self.reason()}')
        return context

    def give_scratch(self, context: Any, address: int) -> None:
        """Let a context use scratch memory whenever it runs.

        Args:
            context: from `new_context`.
            address: device memory of `scratch_bytes`, aligned as CUDA allocates it.

        Raises:
            EngineError: the library refuses.
        """
        with self._bindings('does not take scratch memory'):
            if hasattr(context, 'set_device_memory'):
                context.set_device_memory(address, self.scratch_bytes)
            else:  # before TensorRT 10.1
                context.device_memory = address

    def bind(
        self, context: Any, shapes: Mapping[str, tuple[int, ...]], addresses: Mapping[str, int]
    ) -> dict[str, tuple[int, ...]]:
        """Fix a context's shapes, and where its tensors lie.

        Args:
            context: from `new_context`.
            shapes: the shape of every input.
            addresses: device memory of every tensor, large enough for it.

        Returns:
            The shape of every output.

        Raises:
            EngineError: the plan was not built for these shapes, or the library refuses.
        """
        with self._bindings('does not take the shapes'):
            for name, shape in shapes.items():
                set_shape(context, name, shape)
            for name, address in addresses.items():
                if not context.set_tensor_address(name, address):
                    raise EngineError(f'{name!r} has no place: {self.reason()}')
            return {
                tensor.name: tuple(int(axis) for axis in context.get_tensor_shape(tensor.name))
                for tensor in self.outputs
            }

    def can_be_recorded(self, context: Any, stream: int) -> bool:
        """Say whether a run can become a CUDA graph, as far as the library knows beforehand.

        Args:
            context: a context that has run.
            stream: the stream that it would be recorded on.

        Returns:
            False where a recording would fail.

        Raises:
            EngineError: the library failed.
        """
        # TensorRT-RTX alone is asked; for TensorRT the attempt shows it.
        asked = getattr(context, 'is_stream_capturable', None)
        with self._bindings('failed'):
            return asked is None or bool(asked(stream))

    def enqueue(self, context: Any, stream: int) -> None:
        """Queue one run.

        Args:
            context: one with scratch memory, shapes and addresses.
            stream: the stream to queue it on.

        Raises:
            EngineError: the library failed.
        """
        with self._bindings('failed'):
            if not context.execute_async_v3(stream):
                raise EngineError(self.reason())

    def compiled_kernels(self) -> bytes:
        """Serialize what the library compiled when contexts ran.

        Returns:
            The kernels, those that it was given among them; nothing where it compiles none then.

        Raises:
            EngineError: the library failed.
        """
        if self._runtime_cache is None:
            return b''
        with self._bindings('cannot serialize its kernels'):
            return bytes(self._runtime_cache.serialize())

    def reason(self) -> str:
        """Return what the library said of its last failure, in one line."""
        return self._logger.reason()

    def close(self) -> None:
        """Let go of the plan; its contexts are gone by now."""
        self._runtime_cache = None
        self._engine = None
        self._runtime = None

    @contextmanager
    def _bindings(self, failed: str, kind: type[EngineError] = EngineError) -> Iterator[None]:
        """Turn what the bindings raise into an error for users."""
        # What was said so far is not why this fails.
        self._logger.clear()
        try:
            yield
        except (AssertionError, EngineError):
            raise
        # What pybind11 makes of it: TypeError where the library gives no object, RuntimeError and
        # more where it throws, AttributeError where this version lacks a name.
        except Exception as err:
            raise kind(
                f'{self._library.name} {self._library.version} {failed}: {one_line(err)} '
                f'({self.reason()})'
            ) from err

    def _make_context(self) -> Any:
        """Make a context without scratch memory, as each generation of the library does it."""
        module, engine = self._library.module, self._engine
        strategy = getattr(module, 'ExecutionContextAllocationStrategy', None)
        if strategy is None:  # before TensorRT 10
            return engine.create_execution_context_without_device_memory()
        if not self._library.is_rtx:
            return engine.create_execution_context(strategy.USER_MANAGED)
        config = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy.USER_MANAGED)
        # Otherwise kernels for a shape are compiled beside its first runs, which use slower ones;
        # a CUDA graph would record these and keep them.
        specialization = module.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = specialization.EAGER
        self._share_kernels(config)
        return engine.create_execution_context(config)

    def _share_kernels(self, config: Any) -> None:
        """Let a new context of TensorRT-RTX use, and add to, what others compiled."""
        if self._runtime_cache is None:
            self._runtime_cache = config.create_runtime_cache()
            # It says no where another version, GPU or driver compiled them; none are as good.
            if self._kernels:
                with suppress(EngineError), self._bindings('does not take the kernels'):
                    self._runtime_cache.deserialize(self._kernels)
        config.set_runtime_cache(self._runtime_cache)


def _scratch_bytes(engine: Any) -> int:
    size = getattr(engine, 'device_memory_size_v2', None)
    # Before TensorRT 10.1.
    return int(engine.device_memory_size if size is None else size)
