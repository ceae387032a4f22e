"""Kernels that TensorRT-RTX compiled on this machine, kept beside the plans.

TensorRT-RTX's plans serve every GPU of a compute capability, and their kernels are compiled when a
plan first runs. What was compiled is kept here, so that the next start is as quick as the second
frame. The library itself refuses what another version, GPU or driver compiled.
"""

from __future__ import annotations

from dataclasses import replace

from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu
from stseg_ros.engines.plan_cache.cache import EngineCache
from stseg_ros.engines.plan_cache.plan_file import PlanKey


class KernelStore:
    """The kept kernels of one plan on one GPU."""

    def __init__(
        self, cache: EngineCache, plan_key: PlanKey, gpu: NvidiaGpu, network: str
    ) -> None:
        """Name them; nothing is read yet.

        Args:
            cache: where they are kept; what it says of plans holds for them, too.
            plan_key: the plan's key.
            gpu: the GPU that runs it.
            network: the network's name, for people.
        """
        self._cache = cache
        self._key = replace(
            plan_key,
            gpu=gpu.name,
            multiprocessors=gpu.multiprocessors,
            driver_cuda_major=gpu.driver_cuda_major,
            flags=f'{plan_key.flags} kernels',
        )
        self._network = network
        self._kept: bytes | None = None

    def load(self) -> bytes | None:
        """Return what earlier runs compiled, as the library serialized it; None for nothing."""
        self._kept = self._cache.get(self._key)
        return self._kept

    def save(self, kernels: bytes) -> None:
        """Keep kernels, unless they are kept already; where that fails the cache warns.

        Args:
            kernels: what the library serialized.
        """
        if kernels and kernels != self._kept:
            self._cache.put(self._key, kernels, network=f'kernels of {self._network}')
            # Whether or not that went well: a full disk is tried once, and warned of once.
            self._kept = kernels
