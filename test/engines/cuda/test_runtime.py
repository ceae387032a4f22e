"""Every status of CUDA is looked at; with cuda-python itself where it is installed."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest
from support.fake_cuda import FakeCuda

from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.cuda.runtime import CudaRuntime, open_cuda_runtime
from stseg_ros.errors import EngineError


@pytest.fixture
def real() -> Any:
    return pytest.importorskip('cuda.bindings.runtime', reason='cuda-python is not installed')


def test_a_failure_carries_cudas_name_for_it() -> None:
    cuda = CudaRuntime(FakeCuda(fail_at=0))
    with pytest.raises(
        EngineError, match=r'^cudaMalloc failed: cudaErrorIllegalAddress \(what it means\)$'
    ):
        cuda.allocate_device(10)


def test_a_failure_is_not_met_again() -> None:
    fake = FakeCuda(fail_at=0)
    with pytest.raises(EngineError):
        CudaRuntime(fake).select_device()
    assert not fake.error_is_set


def test_without_cuda_python_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('cuda', 'cuda.bindings', 'cuda.bindings.runtime', 'cuda.cudart'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r'pip install .*cuda-python'):
        open_cuda_runtime()


def test_the_older_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCuda()

    def import_module(name: str) -> Any:
        if name != 'cuda.cudart':
            raise ModuleNotFoundError(name)
        return fake

    monkeypatch.setattr(importlib, 'import_module', import_module)
    open_cuda_runtime().select_device()
    assert fake.calls == ['cudaSetDevice']


def test_the_fake_has_the_real_ones_names(real: Any) -> None:
    names = [name for name in dir(FakeCuda) if name.startswith('cuda')]
    assert len(names) > 20
    assert [name for name in names if not hasattr(real, name)] == []
    assert hasattr(real.cudaMemcpyKind, 'cudaMemcpyHostToDevice')
    assert hasattr(real.cudaMemcpyKind, 'cudaMemcpyDeviceToHost')
    assert hasattr(real.cudaStreamCaptureMode, 'cudaStreamCaptureModeThreadLocal')
    int(real.cudaStream_t())


@pytest.mark.skipif(find_gpu() is not None, reason='this machine has a GPU')
@pytest.mark.parametrize(
    ('method', 'arguments'),
    [
        ('select_device', []),
        ('new_stream', []),
        ('allocate_device', [16]),
        ('allocate_pinned', [16]),
        ('free_device', [0]),
        ('free_pinned', [0]),
    ],
)
def test_without_a_driver_every_call_says_so(real: Any, method: str, arguments: list[int]) -> None:
    with pytest.raises(EngineError, match=r'^cuda\w+ failed: cudaError(InsufficientDriver|NoDev)'):
        getattr(open_cuda_runtime(), method)(*arguments)


@pytest.mark.skipif(find_gpu() is not None, reason='this machine has a GPU')
def test_without_a_driver_streams_and_graphs_fail_too(real: Any) -> None:
    cuda, stream = open_cuda_runtime(), real.cudaStream_t()
    for attempt in (
        lambda: cuda.synchronize(stream),
        lambda: cuda.copy_to_device(0, 0, 16, stream),
        lambda: cuda.copy_to_host(0, 0, 16, stream),
        lambda: cuda.begin_capture(stream),
        lambda: cuda.end_capture(stream),
        lambda: cuda.instantiate(real.cudaGraph_t()),
        lambda: cuda.launch(real.cudaGraphExec_t(), stream),
        lambda: cuda.destroy_graph(real.cudaGraph_t()),
        lambda: cuda.destroy_executable(real.cudaGraphExec_t()),
        lambda: cuda.destroy_stream(stream),
    ):
        with pytest.raises(EngineError, match='failed: cudaError'):
            attempt()
    cuda.abandon_capture(stream)
