"""A machine with an NVIDIA GPU, made of stand-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu
from stseg_ros.engines.plan_build.plans import BuildRequest, FoundPlan, InputProfile
from stseg_ros.engines.plan_cache.plan_file import PlanKey

GPU = NvidiaGpu(
    name='NVIDIA Model T', compute_capability='8.9', multiprocessors=8, driver_cuda_major=13
)
KEY = PlanKey(
    onnx_sha256='0' * 64,
    library='tensorrt',
    version='10.13.0',
    gpu='any',
    compute_capability='8.9',
    multiprocessors=0,
    driver_cuda_major=0,
    precision='fp16',
    profiles='',
    flags='order=rgb',
)


class FakeCache:
    """Hands out plans and kernels, and notes what is asked of it."""

    def __init__(self, plans: list[FoundPlan]) -> None:
        self.plans = plans
        self.set_aside_reasons: list[str] = []
        self.kernels: dict[PlanKey, bytes] = {}
        self.puts = 0

    def find(self, *_: Any, **__: Any) -> FoundPlan:
        return self.plans.pop(0)

    def set_aside(self, key: PlanKey, reason: str) -> None:
        assert key == KEY
        self.set_aside_reasons.append(reason)

    def get(self, key: PlanKey) -> bytes | None:
        assert key != KEY
        return self.kernels.get(key)

    def put(self, key: PlanKey, content: bytes, network: str) -> None:
        assert key != KEY
        assert network == 'kernels of network.onnx'
        self.kernels[key] = content
        self.puts += 1


def found(plan: bytes, *, was_cached: bool) -> FoundPlan:
    """Wrap a plan as the cache or the builder would."""
    return FoundPlan(key=KEY, plan=plan, was_cached=was_cached, is_kept=True, seconds=0.0)


def tiny_request(path: Path, **_: Any) -> BuildRequest:
    """Ask for what `fake_tensorrt` gives, whatever the options are."""
    shape = (8, 16, 3)
    profile = InputProfile(
        name='image', minimum=(1, *shape), usual=(2, *shape), maximum=(4, *shape)
    )
    return BuildRequest(network=path, profiles=(profile,))


def random_batch(count: int, channels: int = 3) -> np.ndarray:
    """Draw images that `fake_tensorrt` takes."""
    return np.random.default_rng(0).integers(0, 256, (count, 8, 16, channels), np.uint8)
