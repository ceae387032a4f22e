"""Networks on TensorRT: around the GPU here, and on it where there is one."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_cuda import FakeCuda
from support.fake_tensorrt import PLAN, fake_library
from support.tiny_bundle import write_redness_network

from stseg_ros.engines import tensorrt_engine, tensorrt_graph
from stseg_ros.engines.backends import open_pair
from stseg_ros.engines.cuda_runtime import CudaRuntime
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.nvidia_gpu import NvidiaGpu, find_gpu
from stseg_ros.engines.tensorrt_build import (
    BuildRequest,
    BuildStoppedError,
    FoundPlan,
    InputProfile,
    build_plan,
    network_request,
)
from stseg_ros.engines.tensorrt_engine import TensorRtEngine, write_rgb
from stseg_ros.engines.tensorrt_graph import TensorRtGraph
from stseg_ros.engines.tensorrt_library import is_installed, load_library
from stseg_ros.engines.tensorrt_plan import LoadedPlan, PlanRejectedError
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder

OPTIONS = EngineOptions(max_batch=4, usual_batch=2)
GPU = NvidiaGpu(
    name='NVIDIA Model T', compute_capability='8.9', multiprocessors=8, driver_cuda_major=13
)
without_gpu = pytest.mark.skipif(find_gpu() is not None, reason='this machine has a GPU')
with_rtx = pytest.mark.skipif(
    not is_installed('tensorrt_rtx'), reason='TensorRT-RTX is not installed'
)


class FakeCache:
    """Hands out plans, and notes what is asked of it."""

    def __init__(self, plans: list[FoundPlan]) -> None:
        self.plans = plans
        self.set_aside_reasons: list[str] = []

    def find(self, *_: Any, **__: Any) -> FoundPlan:
        return self.plans.pop(0)

    def set_aside(self, key: str, reason: str) -> None:
        assert key == 'the key'
        self.set_aside_reasons.append(reason)


def found(plan: bytes, *, was_cached: bool) -> FoundPlan:
    return FoundPlan(plan=plan, was_cached=was_cached, is_kept=True, seconds=0.0)


@pytest.fixture
def fake() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, fake: FakeCuda) -> FakeCache:
    """Put fakes where the GPU, the builder and the cache are."""
    cache = FakeCache([found(PLAN, was_cached=True)])
    shape = (8, 16, 3)
    profile = InputProfile(
        name='image', minimum=(1, *shape), usual=(2, *shape), maximum=(4, *shape)
    )

    def request(path: Path, **options: Any) -> BuildRequest:
        return BuildRequest(onnx_path=path, profiles=(profile,))

    for name, value in (
        ('open_nvidia', lambda _: (fake_library(fake), GPU, CudaRuntime(fake))),
        ('network_request', request),
        ('find_or_build', cache.find),
        ('EngineCache', lambda: cache),
        ('plan_key', lambda *_: 'the key'),
    ):
        monkeypatch.setattr(tensorrt_engine, name, value)
    return cache


def random_batch(count: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 16, channels), np.uint8)


@pytest.mark.parametrize('channels', [3, 4])
@pytest.mark.parametrize('order', list(ChannelOrder))
def test_colours_change_places_on_the_way(order: ChannelOrder, channels: int) -> None:
    batch = random_batch(3, channels)
    room = np.zeros(3 * 8 * 16 * channels + 1, np.uint8)
    out = room[:-1].reshape(batch.shape)
    before = batch.copy()
    write_rgb(batch, order, out)
    expected = batch if order is ChannelOrder.RGB else batch[..., [2, 1, 0, 3][:channels]]
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(batch, before)
    assert room[-1] == 0


def test_a_read_only_batch_is_taken() -> None:
    batch = random_batch(2)
    batch.flags.writeable = False
    for order in ChannelOrder:
        out = np.empty_like(batch)
        write_rgb(batch, order, out)
        rgb = batch if order is ChannelOrder.RGB else batch[..., ::-1]
        np.testing.assert_array_equal(out, rgb)


def test_an_engine_describes_itself(cache: FakeCache, fake: FakeCuda) -> None:
    engine = TensorRtEngine(Path('network.onnx'), OPTIONS)
    assert engine.device == 'NVIDIA Model T (fp16, CUDA graph)'
    assert (engine.input.shape, engine.input.dtype) == ((None, 8, 16, 3), 'uint8')
    # The plan gives bytes, the network float32.
    assert (engine.output.shape, engine.output.dtype) == ((None, 8, 16), 'float32')
    engine.close()
    gc.collect()
    assert not fake.live


def test_the_usual_batch_is_ready_when_it_comes(cache: FakeCache, fake: FakeCuda) -> None:
    engine = TensorRtEngine(Path('network.onnx'), OPTIONS)
    fake.calls.clear()
    for order in ChannelOrder:
        assert engine.infer(random_batch(2), order).shape == (2, 8, 16)
    assert fake.calls == ['cudaGraphLaunch', 'cudaStreamSynchronize'] * 2
    engine.close()


def test_without_a_recording_the_device_says_so(cache: FakeCache, fake: FakeCuda) -> None:
    TensorRtEngine(Path('network.onnx'), OPTIONS)
    fail_at = fake.calls.index('cudaStreamBeginCapture')
    cache.plans.append(found(PLAN, was_cached=True))
    fake.fail_at = len(fake.calls) + fail_at
    engine = TensorRtEngine(Path('network.onnx'), OPTIONS)
    assert 'no CUDA graph: cudaStreamBeginCapture failed: cudaError' in engine.device
    engine.infer(random_batch(2))


def test_a_batch_that_does_not_fit_leaves_the_engine_open(cache: FakeCache) -> None:
    engine = TensorRtEngine(Path('network.onnx'), OPTIONS)
    with pytest.raises(EngineError, match='the network takes uint8 Nx8x16x3'):
        engine.infer(np.zeros((1, 16, 8, 3), np.uint8))
    with pytest.raises(EngineError, match='built for up to'):
        engine.infer(random_batch(5))
    engine.infer(random_batch(1))
    engine.close()


def test_a_failure_closes_the_engine(cache: FakeCache, fake: FakeCuda) -> None:
    engine = TensorRtEngine(Path('network.onnx'), OPTIONS)
    fake.fail_at = len(fake.calls)
    with pytest.raises(EngineError, match='tensorrt failed: cudaGraphLaunch failed'):
        engine.infer(random_batch(2))
    gc.collect()
    assert not fake.live
    with pytest.raises(EngineError, match='closed since it failed: cudaGraphLaunch'):
        engine.infer(random_batch(2))
    engine.close()


def test_a_constructor_that_fails_leaves_nothing(cache: FakeCache, fake: FakeCuda) -> None:
    TensorRtEngine(Path('network.onnx'), OPTIONS).close()
    gc.collect()
    cache.plans.append(found(PLAN, was_cached=False))
    fake.fail_at = len(fake.calls) + fake.calls.index('cudaStreamSynchronize')
    with pytest.raises(EngineError, match='cudaStreamSynchronize failed'):
        TensorRtEngine(Path('network.onnx'), OPTIONS)
    gc.collect()
    assert not fake.live
    assert cache.set_aside_reasons == []


def test_a_kept_plan_that_does_not_load_is_built_again(cache: FakeCache) -> None:
    cache.plans[:] = [found(b'stale', was_cached=True), found(PLAN, was_cached=False)]
    TensorRtEngine(Path('network.onnx'), OPTIONS).close()
    assert cache.set_aside_reasons == ['tensorrt 10.13.0 does not load the plan: no reason given']


def test_a_new_plan_that_does_not_load_is_an_error(cache: FakeCache) -> None:
    cache.plans[:] = [found(b'useless', was_cached=False)]
    with pytest.raises(PlanRejectedError, match='does not load the plan'):
        TensorRtEngine(Path('network.onnx'), OPTIONS)
    assert cache.set_aside_reasons == []


def calls_of_opening(fake: FakeCuda) -> list[str]:
    """Open an engine and close it; return the names of the calls, and begin to count anew."""
    TensorRtEngine(Path('network.onnx'), OPTIONS).close()
    gc.collect()
    calls = fake.calls.copy()
    fake.calls.clear()
    return calls


def test_a_kept_plan_that_does_not_run_is_built_again(cache: FakeCache, fake: FakeCuda) -> None:
    fake.fail_at = calls_of_opening(fake).index('execute_async_v3')
    cache.plans[:] = [found(PLAN, was_cached=True), found(PLAN, was_cached=False)]
    engine = TensorRtEngine(Path('network.onnx'), OPTIONS)
    assert cache.set_aside_reasons == ['the first run failed: tensorrt failed: no reason given']
    assert engine.infer(random_batch(2)).shape == (2, 8, 16)
    engine.close()
    gc.collect()
    assert not fake.live


def test_it_is_built_again_once(cache: FakeCache, fake: FakeCuda) -> None:
    fake.fail_at = calls_of_opening(fake).index('execute_async_v3')
    # As after a plan that wrote where it may not.
    fake.is_sticky = True
    cache.plans[:] = [found(PLAN, was_cached=True), found(PLAN, was_cached=False)]
    with pytest.raises(EngineError, match='cudaSetDevice failed'):
        TensorRtEngine(Path('network.onnx'), OPTIONS)
    assert len(cache.set_aside_reasons) == 1
    assert cache.plans == []


def test_too_little_memory_leaves_a_kept_plan_where_it_is(
    cache: FakeCache, fake: FakeCuda
) -> None:
    fake.fail_at = calls_of_opening(fake).index('cudaMalloc')
    cache.plans[:] = [found(PLAN, was_cached=True)]
    with pytest.raises(EngineError, match='cudaMalloc failed'):
        TensorRtEngine(Path('network.onnx'), OPTIONS)
    assert cache.set_aside_reasons == []


@pytest.fixture
def graphs(cache: FakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the same fakes under graphs."""
    for name in ('open_nvidia', 'open_session'):
        monkeypatch.setattr(tensorrt_graph, name, getattr(tensorrt_engine, name))


def test_a_graph_runs_by_names(graphs: None) -> None:
    runner = TensorRtGraph(b'a model', EngineOptions(precision='float32'))
    assert runner.device == 'NVIDIA Model T (fp32, CUDA graph)'
    assert runner.run({'image': random_batch(4)})['logits'].shape == (4, 8, 16)
    runner.close()
    with pytest.raises(EngineError, match='closed'):
        runner.run({'image': random_batch(4)})


@pytest.mark.parametrize('kind', [EngineError, BuildStoppedError])
def test_messages_do_not_name_the_temporary_file(
    graphs: None, monkeypatch: pytest.MonkeyPatch, kind: type[EngineError]
) -> None:
    def refuse(_: Any, __: Any, request: BuildRequest, ___: Any) -> None:
        assert request.onnx_path.read_bytes() == b'a model'
        raise kind(f'cannot build {request.onnx_path}: no reason given')

    monkeypatch.setattr(tensorrt_graph, 'open_session', refuse)
    with pytest.raises(kind, match=r'^cannot build the graph of a frame: no reason given$'):
        TensorRtGraph(b'a model', EngineOptions())


def test_no_place_for_the_temporary_file_is_said(
    graphs: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'missing'))
    with pytest.raises(EngineError, match=r'No such file or directory.*set TMPDIR') as refused:
        TensorRtGraph(b'a model', EngineOptions())
    assert '\n' not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


@without_gpu
@pytest.mark.skipif(is_installed('tensorrt'), reason='TensorRT is installed')
def test_without_the_library_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'network.onnx'
    with pytest.raises(EngineError) as caught:
        open_pair(path, path, backend='tensorrt', options=OPTIONS)
    message = str(caught.value)
    assert message.startswith('tensorrt is not installed; pip install')
    assert 'no NVIDIA GPU' in message
    assert '\n' not in message


@without_gpu
@with_rtx
def test_without_a_gpu_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / 'network.onnx'
    with pytest.raises(EngineError, match='no NVIDIA GPU with a driver on this machine'):
        open_pair(path, path, backend='tensorrt_rtx', options=OPTIONS)


@with_rtx
def test_bytes_that_are_no_plan_are_rejected_by_the_library_itself() -> None:
    with pytest.raises(PlanRejectedError, match=r'^tensorrt_rtx \S+ does not load the plan: \S+'):
        LoadedPlan(load_library('tensorrt_rtx'), b'no plan' * 100)


@without_gpu
@with_rtx
def test_a_real_plan_is_rejected_where_there_is_no_gpu(tmp_path: Path) -> None:
    path = tmp_path / 'network.onnx'
    write_redness_network(path, (8, 16), batch=None, gain=2.0)
    library = load_library('tensorrt_rtx')
    request = network_request(path, max_batch=4, compute_capability='8.9', logits='bytes')
    plan = build_plan(library, request)
    with pytest.raises(PlanRejectedError, match='does not load the plan') as caught:
        LoadedPlan(library, plan)
    assert '\n' not in str(caught.value)


@with_rtx
def test_the_library_has_the_names_that_running_a_plan_needs() -> None:
    module = load_library('tensorrt_rtx').module
    needed = {
        'Runtime': ['deserialize_cuda_engine'],
        'ICudaEngine': [
            'num_io_tensors',
            'get_tensor_name',
            'get_tensor_mode',
            'get_tensor_dtype',
            'get_tensor_shape',
            'get_tensor_profile_shape',
            'device_memory_size_v2',
            'create_runtime_config',
            'create_execution_context',
        ],
        'IRuntimeConfig': [
            'set_execution_context_allocation_strategy',
            'dynamic_shapes_kernel_specialization_strategy',
        ],
        'IExecutionContext': [
            'set_input_shape',
            'get_tensor_shape',
            'set_tensor_address',
            'set_device_memory',
            'execute_async_v3',
            'is_stream_capturable',
        ],
        'TensorIOMode': ['INPUT'],
        'ExecutionContextAllocationStrategy': ['USER_MANAGED'],
        'DynamicShapesKernelSpecializationStrategy': ['EAGER'],
    }
    missing = [
        f'{owner}.{name}'
        for owner, names in needed.items()
        for name in names
        if not hasattr(getattr(module, owner), name)
    ]
    assert missing == []
