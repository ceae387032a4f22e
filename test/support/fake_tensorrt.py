"""A stand-in for the TensorRT module when plans run: names, shapes and failures, no results."""

# ruff: noqa: ARG002, ARG005 (the signatures are NVIDIA's)

from __future__ import annotations

import weakref
from enum import Enum
from types import SimpleNamespace
from typing import Any

from support.fake_cuda import FakeCuda

from stseg_ros.engines.tensorrt_library import TensorRtLibrary

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

    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._scratch = 0
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
        assert self._cuda.live['device', address] >= size >= SCRATCH_BYTES
        self._scratch = address

    def execute_async_v3(self, stream: int) -> bool:
        assert ('stream', stream) in self._cuda.live
        assert ('device', self._scratch) in self._cuda.live
        assert set(self._addresses) == set(LARGEST)
        return not fails(self._cuda, 'execute_async_v3')


class FakeEngine:
    num_io_tensors = 2
    device_memory_size_v2 = SCRATCH_BYTES

    def __init__(self, cuda: FakeCuda, *, is_free: bool) -> None:
        self._cuda = cuda
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

    def create_execution_context(self, strategy: Strategy) -> FakeContext | None:
        assert strategy is Strategy.USER_MANAGED
        return None if fails(self._cuda, 'create_execution_context') else FakeContext(self._cuda)


class FakeRuntime:
    def __init__(self, cuda: FakeCuda, *, is_free: bool) -> None:
        if cuda.enter('Runtime'):
            # What becomes of a null pointer that a constructor gets.
            raise TypeError('pybind11::init(): factory function returned nullptr')
        self._cuda = cuda
        self._is_free = is_free

    def deserialize_cuda_engine(self, plan: bytes) -> FakeEngine | None:
        failed = fails(self._cuda, 'deserialize_cuda_engine') or plan != PLAN
        return None if failed else FakeEngine(self._cuda, is_free=self._is_free)


def fake_library(cuda: FakeCuda, *, is_free: bool = True) -> TensorRtLibrary:
    """Make a library that works with a fake CUDA; `is_free` plans take smaller batches, too."""
    module: Any = SimpleNamespace(
        ILogger=FakeLogger,
        Runtime=lambda handle: FakeRuntime(cuda, is_free=is_free),
        TensorIOMode=SimpleNamespace(INPUT='input'),
        ExecutionContextAllocationStrategy=Strategy,
    )
    return TensorRtLibrary(name='tensorrt', version='10.13.0', module=module)
