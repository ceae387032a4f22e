"""Networks on TensorRT: around the GPU here, and on it where there is one."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from support.fake_cuda import FakeCuda
from support.fake_tensorrt import PLAN
from support.nvidia import FakeCache, found, random_batch

from stseg_ros.engines.backends import open_pair
from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.tensorrt.engine import TensorRtEngine, write_rgb
from stseg_ros.engines.tensorrt.library import is_installed
from stseg_ros.engines.tensorrt.loaded_plan import PlanRejectedError
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder

OPTIONS = EngineOptions(max_batch=4, usual_batch=2)
without_gpu = pytest.mark.skipif(find_gpu() is not None, reason='this machine has a GPU')
with_rtx = pytest.mark.skipif(
    not is_installed('tensorrt_rtx'), reason='TensorRT-RTX is not installed'
)


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
    assert cache.set_aside_reasons == ['tensorrt 10.13.3 does not load the plan: no reason given']


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
