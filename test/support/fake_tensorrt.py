"""A stand-in for the TensorRT module when plans run: names, shapes and failures, no results."""

# ruff: noqa: ARG002, ARG005 (the signatures are NVIDIA's)

from __future__ import annotations

import weakref
from enum import Enum
from types import SimpleNamespace
from typing import Any

from support.fake_cuda import FakeCuda
from support.tensorrt_names import LACKS, without_missing

from stseg_ros.engines.tensorrt.library import TensorRtLibrary

PLAN = b'plan'
# One free axis, up to 4; the output is as large as the input without its channels.
LARGEST = {'image': (4, 8, 16, 3), 'logits': (4, 8, 16)}
SCRATCH_BYTES = 1000


class Strategy(Enum):
    STATIC = 0
    USER_MANAGED = 2


class FakeLogger:
    INTERNAL_ERROR, ERROR, WARNING = range(3)


def fails(cuda: FakeCuda, name: str) -> bool:
    """Note a call of the library; where it is to fail say so, or raise as bindings do."""
    failed = cuda.enter(name)
    if failed and cuda.thrown is not None:
        raise cuda.thrown('thrown by\nthe library')
    return failed


class FakeContext:
    """An execution context; its calls are counted as CUDA's are, and may fail as they do."""

    def __init__(self, cuda: FakeCuda, kernels: FakeRuntimeCache | None = None) -> None:
        self._cuda = cuda
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._scratch = 0
        self._kernels = kernels
        cuda.live['context', id(self)] = 0
        weakref.finalize(self, cuda.forget, 'context', id(self))

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        if fails(self._cuda, 'set_input_shape'):
            return False
        fits = all(1 <= axis <= most for axis, most in zip(shape, LARGEST[name], strict=True))
        self._shapes['image'] = tuple(shape)
        return fits

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        image = self._shapes['image']
        return image if name == 'image' else image[:3]

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert ('device', address) in self._cuda.live
        self._addresses[name] = address
        return not fails(self._cuda, 'set_tensor_address')

    def set_device_memory(self, address: int, size: int) -> None:
        self.set_scratch(address, size)

    def set_scratch(self, address: int, size: int) -> None:
        assert self._cuda.live['device', address] >= size >= SCRATCH_BYTES
        self._scratch = address

    @property
    def device_memory(self) -> int:
        return self._scratch

    @device_memory.setter
    def device_memory(self, address: int) -> None:
        self.set_scratch(address, SCRATCH_BYTES)

    def is_stream_capturable(self, stream: int) -> bool:
        return ('stream', stream) in self._cuda.live

    def execute_async_v3(self, stream: int) -> bool:
        assert ('stream', stream) in self._cuda.live
        assert ('device', self._scratch) in self._cuda.live
        assert set(self._addresses) == set(LARGEST)
        if self._kernels is not None:
            self._kernels.compile(self._shapes['image'][0])
        return not fails(self._cuda, 'execute_async_v3')


class FakeRuntimeCache:
    """Kernels: one for each size of batch that ran."""

    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self._batches: set[int] = set()

    def compile(self, batch: int) -> None:
        if batch not in self._batches:
            self._cuda.calls.append('compile')
            self._batches.add(batch)

    def serialize(self) -> bytes | None:
        if fails(self._cuda, 'serialize'):
            return None
        return ' '.join(map(str, sorted(self._batches))).encode()

    def deserialize(self, blob: bytes) -> bool:
        words = blob.split()
        if not all(word.isdigit() for word in words):
            if self._cuda.thrown is not None:
                raise self._cuda.thrown('not of this machine')
            return False
        self._batches = {int(word) for word in words}
        return True


class FakeRuntimeConfig:
    """What TensorRT-RTX makes contexts from."""

    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self.kernels: FakeRuntimeCache | None = None
        self.strategy: Strategy | None = None
        self.dynamic_shapes_kernel_specialization_strategy: str | None = None

    def set_execution_context_allocation_strategy(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def create_runtime_cache(self) -> FakeRuntimeCache:
        return FakeRuntimeCache(self._cuda)

    def set_runtime_cache(self, cache: FakeRuntimeCache) -> bool:
        self.kernels = cache
        return True


class FakeEngine:
    num_io_tensors = 2
    device_memory_size = SCRATCH_BYTES
    device_memory_size_v2 = SCRATCH_BYTES

    def __init__(self, cuda: FakeCuda, *, is_free: bool, lacks: set[str]) -> None:
        self._cuda = cuda
        self._context_type = without_missing(FakeContext, 'IExecutionContext', lacks)
        self._config_type = without_missing(FakeRuntimeConfig, 'IRuntimeConfig', lacks)
        self._is_free = is_free

    def get_tensor_name(self, index: int) -> str:
        return ('logits', 'image')[index]

    def get_tensor_mode(self, name: str) -> str:
        return 'input' if name == 'image' else 'output'

    def get_tensor_dtype(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(name='UINT8')

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *LARGEST[name][1:]) if self._is_free else LARGEST[name]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        assert self._is_free, 'there is no profile'
        assert (name, profile) == ('image', 0)
        return [(1, 8, 16, 3), (2, 8, 16, 3), LARGEST['image']]

    def create_runtime_config(self) -> FakeRuntimeConfig:
        config: FakeRuntimeConfig = self._config_type(self._cuda)
        return config

    def create_execution_context(self, how: Strategy | FakeRuntimeConfig) -> FakeContext | None:
        kernels = None
        if isinstance(how, FakeRuntimeConfig):
            assert how.dynamic_shapes_kernel_specialization_strategy == 'eager'
            how, kernels = how.strategy, how.kernels
            assert kernels is not None
        assert how is Strategy.USER_MANAGED
        failed = fails(self._cuda, 'create_execution_context')
        return None if failed else self._context_type(self._cuda, kernels)

    def create_execution_context_without_device_memory(self) -> FakeContext | None:
        return self.create_execution_context(Strategy.USER_MANAGED)


class FakeRuntime:
    def __init__(self, cuda: FakeCuda, *, is_free: bool, lacks: set[str]) -> None:
        if cuda.enter('Runtime'):
            # What becomes of a null pointer that a constructor gets.
            raise TypeError('pybind11::init(): factory function returned nullptr')
        self._cuda = cuda
        self._is_free = is_free
        self._lacks = lacks

    def deserialize_cuda_engine(self, plan: bytes) -> FakeEngine | None:
        failed = fails(self._cuda, 'deserialize_cuda_engine') or plan != PLAN
        if failed:
            return None
        engine_type = without_missing(FakeEngine, 'ICudaEngine', self._lacks)
        engine: FakeEngine = engine_type(self._cuda, is_free=self._is_free, lacks=self._lacks)
        return engine


def fake_library(
    cuda: FakeCuda,
    *,
    is_free: bool = True,
    name: str = 'tensorrt',
    version: str = '',
) -> TensorRtLibrary:
    """Make a library that works with a fake CUDA.

    Args:
        cuda: the CUDA.
        is_free: whether its plans take smaller batches, too.
        name: 'tensorrt' or 'tensorrt_rtx'.
        version: one of `LACKS`; empty takes one of today.
    """
    version = version or {'tensorrt': '10.13.3', 'tensorrt_rtx': '1.7.1'}[name]
    lacks = LACKS[name, version]
    names: dict[str, Any] = {
        'ILogger': FakeLogger,
        'Runtime': lambda handle: FakeRuntime(cuda, is_free=is_free, lacks=lacks),
        'TensorIOMode': SimpleNamespace(INPUT='input'),
        'ExecutionContextAllocationStrategy': Strategy,
        'DynamicShapesKernelSpecializationStrategy': SimpleNamespace(EAGER='eager'),
    }
    module: Any = SimpleNamespace(**{key: names[key] for key in names if key not in lacks})
    return TensorRtLibrary(name=name, version=version, module=module)
