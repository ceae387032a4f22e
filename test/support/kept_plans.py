"""A key of a plan, and what tests of the cache look at."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey

KEY = PlanKey(
    onnx_sha256='ab' * 32,
    library='tensorrt',
    version='10.3.0',
    gpu='Orin',
    compute_capability='8.7',
    multiprocessors=16,
    driver_cuda_major=12,
    precision='fp16',
    profiles='image:1x8/2x8/4x8',
    flags='order=rgb',
)


def only_file(cache: EngineCache, suffix: str) -> Path:
    (path,) = cache.root.glob(f'*{suffix}')
    return path


def other(key: PlanKey, name: str) -> PlanKey:
    value = getattr(key, name)
    return replace(key, **{name: value + 1 if isinstance(value, int) else f'{value}x'})


def used_at(cache: EngineCache, key: PlanKey, seconds: int) -> None:
    path = cache.root / f'{key.digest()}.plan'
    os.utime(path, (seconds, seconds))
