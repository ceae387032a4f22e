"""The parts of a machine with an NVIDIA GPU, as fixtures."""

from __future__ import annotations

from typing import Any

import pytest
from support.fake_cuda import FakeCuda
from support.fake_tensorrt import PLAN, fake_library
from support.nvidia import GPU, FakeCache, found, tiny_request

from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.engines.tensorrt import engine, graph, open_plan


@pytest.fixture
def fake() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, fake: FakeCuda) -> FakeCache:
    """Put fakes where the GPU, the library, the builder and the cache are."""
    cache = FakeCache([found(PLAN, was_cached=True)])

    def open_nvidia(name: str) -> Any:
        return fake_library(fake, name=name), GPU, CudaRuntime(fake)

    for module in (engine, graph):
        monkeypatch.setattr(module, 'open_nvidia', open_nvidia)
    monkeypatch.setattr(engine, 'network_request', tiny_request)
    monkeypatch.setattr(open_plan, 'find_or_build', cache.find)
    monkeypatch.setattr(open_plan, 'EngineCache', lambda: cache)
    return cache
