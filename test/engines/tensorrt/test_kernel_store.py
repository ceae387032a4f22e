"""Kernels that TensorRT-RTX compiles when plans run: kept, found again, and never in the way."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest
from support.fake_cuda import FakeCuda
from support.fake_tensorrt import PLAN, fake_library
from support.nvidia import GPU, KEY, FakeCache, found, random_batch

from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.plan_cache.cache import EngineCache
from stseg_ros.engines.tensorrt.engine import TensorRtEngine, TensorRtRtxEngine
from stseg_ros.engines.tensorrt.kernel_store import KernelStore
from stseg_ros.engines.tensorrt.session import PlanSession
from stseg_ros.errors import EngineError

OPTIONS = EngineOptions(max_batch=4, usual_batch=2)


def open_engine(cache: FakeCache) -> TensorRtRtxEngine:
    cache.plans[:] = [found(PLAN, was_cached=True)]
    return TensorRtRtxEngine(Path('network.onnx'), OPTIONS)


def kept(cache: FakeCache) -> bytes:
    (kernels,) = cache.kernels.values()
    return kernels


def test_they_are_kept_after_the_first_run_already(cache: FakeCache) -> None:
    engine = open_engine(cache)
    # The stand-in serializes the batches that it compiled for.
    assert kept(cache) == b'2'
    engine.close()
    assert cache.puts == 1


def test_what_was_compiled_later_is_kept_at_the_end(cache: FakeCache) -> None:
    engine = open_engine(cache)
    engine.infer(random_batch(3))
    assert kept(cache) == b'2'
    engine.close()
    assert kept(cache) == b'2 3'
    engine.close()
    assert cache.puts == 2


def test_the_next_start_has_them(cache: FakeCache, fake: FakeCuda) -> None:
    engine = open_engine(cache)
    engine.infer(random_batch(3))
    engine.close()
    fake.calls.clear()
    again = open_engine(cache)
    again.infer(random_batch(3))
    again.close()
    assert 'compile' not in fake.calls
    # Nothing was added, so nothing is written.
    assert cache.puts == 2


@pytest.mark.parametrize('thrown', [None, RuntimeError])
def test_what_the_library_does_not_take_back_is_compiled_again(
    cache: FakeCache, fake: FakeCuda, thrown: type[Exception] | None
) -> None:
    open_engine(cache).close()
    (key,) = cache.kernels
    cache.kernels[key] = b'of another driver'
    fake.thrown = thrown
    open_engine(cache).close()
    assert kept(cache) == b'2'


def test_nothing_is_kept_of_a_network_that_failed(cache: FakeCache, fake: FakeCuda) -> None:
    engine = open_engine(cache)
    fake.fail_at = len(fake.calls) + 1
    with pytest.raises(EngineError, match='failed'):
        engine.infer(random_batch(3))
    engine.close()
    assert kept(cache) == b'2'


def test_kernels_that_cannot_be_serialized_cost_nothing_else(
    cache: FakeCache, fake: FakeCuda
) -> None:
    engine = open_engine(cache)
    # The first call of closing.
    fake.fail_at = len(fake.calls)
    engine.close()
    assert fake.calls[fake.fail_at] == 'serialize'
    gc.collect()
    assert not fake.live


def test_tensorrt_itself_has_none(cache: FakeCache, fake: FakeCuda) -> None:
    TensorRtEngine(Path('network.onnx'), OPTIONS).close()
    assert cache.kernels == {}
    assert 'serialize' not in fake.calls


def test_they_lie_beside_the_plans_one_set_for_each_gpu(tmp_path: Path) -> None:
    warnings: list[str] = []
    cache = EngineCache(tmp_path, warn=warnings.append)
    first = KernelStore(cache, KEY, GPU, 'network.onnx')
    assert first.load() is None
    first.save(b'compiled')
    assert KernelStore(cache, KEY, GPU, 'network.onnx').load() == b'compiled'
    for other in (
        replace(GPU, name='NVIDIA Model A'),
        replace(GPU, multiprocessors=9),
        replace(GPU, driver_cuda_major=14),
    ):
        assert KernelStore(cache, KEY, other, 'network.onnx').load() is None
    assert cache.get(KEY) is None
    (entry,) = cache.entries()
    assert entry.header.facts == {'network': 'kernels of network.onnx'}
    assert warnings == []


def test_damaged_ones_are_set_aside(tmp_path: Path) -> None:
    warnings: list[str] = []
    cache = EngineCache(tmp_path, warn=warnings.append)
    KernelStore(cache, KEY, GPU, 'network.onnx').save(b'compiled')
    (path,) = tmp_path.glob('*.plan')
    path.write_bytes(path.read_bytes()[:-1])
    store = KernelStore(cache, KEY, GPU, 'network.onnx')
    assert store.load() is None
    assert len(warnings) == 1
    store.save(b'compiled')
    assert KernelStore(cache, KEY, GPU, 'network.onnx').load() == b'compiled'


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    warnings: list[str] = []
    cache = EngineCache(tmp_path / 'file' / 'engines', warn=warnings.append)
    fake = FakeCuda()
    library = fake_library(fake, name='tensorrt_rtx')
    session = PlanSession(
        library, PLAN, CudaRuntime(fake), KernelStore(cache, KEY, GPU, 'network.onnx')
    )
    session.staging('image', (2, 8, 16, 3))[...] = 0
    session.execute({'image': (2, 8, 16, 3)})
    session.save_kernels()
    session.close()
    assert len(warnings) == 1
