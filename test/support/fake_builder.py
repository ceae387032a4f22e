"""A stand-in for the TensorRT module when plans are built: it notes what is asked of it."""

# ruff: noqa: N802 (the names are NVIDIA's)

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from support.tensorrt_names import LACKS, without_missing

from stseg_ros.engines.plan_build.builder import run_builder
from stseg_ros.engines.plan_build.request import BuildRequest
from stseg_ros.engines.plan_build.target import BuildTarget
from stseg_ros.engines.plan_build.watch import BuildWatch
from stseg_ros.engines.tensorrt.library import TensorRtLibrary

TARGET = BuildTarget(
    gpu='NVIDIA Model T', compute_capability='8.9', multiprocessors=8, driver_cuda_major=13
)


class FakeConfig:
    """A builder's configuration."""

    progress_monitor: Any = None
    num_compute_capabilities = 0

    def __init__(self, library: FakeBuilderModule) -> None:
        self._library = library

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self._library.asked.append(('limit', pool, size))

    def clear_flag(self, flag: str) -> None:
        self._library.asked.append(('clear', flag))

    def set_flag(self, flag: str) -> None:
        self._library.asked.append(('set', flag))

    def set_preview_feature(self, feature: str, enable: bool) -> None:
        self._library.asked.append(('preview', feature, enable))

    def set_compute_capability(self, capability: str, index: int) -> bool:
        assert index < self.num_compute_capabilities == 1
        self._library.asked.append(('capability', capability))
        return True

    def create_timing_cache(self, content: bytes) -> Any:
        self._library.asked.append(('times', content))
        return content

    def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
        """Refuse the times of another GPU."""
        assert not ignore_mismatch
        return cache != b'foreign'

    def get_timing_cache(self) -> Any:
        return SimpleNamespace(serialize=lambda: b'new times')


class FakeBuilderModule:
    """The names of one version, of which `run_builder` makes a network, a config and a plan.

    Attributes:
        asked: what was asked for, in order; no plan where the given one is None.
        config: the configuration of the last build.
    """

    def __init__(self, plan: bytes | None, name: str, version: str) -> None:
        lacks = LACKS[name, version]
        self.asked: list[Any] = []
        self.plan = plan
        self._config_type = without_missing(FakeConfig, 'IBuilderConfig', lacks)
        self.ILogger = type('ILogger', (), {'ERROR': 1, 'INTERNAL_ERROR': 0, 'WARNING': 2})
        self.MemoryPoolType = SimpleNamespace(WORKSPACE='WORKSPACE')
        for owner, members in (
            ('NetworkDefinitionCreationFlag', {'EXPLICIT_BATCH': 0, 'STRONGLY_TYPED': 1}),
            ('BuilderFlag', {'FP16': 'FP16', 'TF32': 'TF32'}),
            ('PreviewFeature', {'PROFILE_SHARING_0806': 'SHARING'}),
            ('ComputeCapability', {'SM89': 'SM89'}),
        ):
            if owner not in lacks:
                present = {n: v for n, v in members.items() if f'{owner}.{n}' not in lacks}
                setattr(self, owner, SimpleNamespace(__members__=present, **present))
        if 'IProgressMonitor' not in lacks:
            self.IProgressMonitor = type('IProgressMonitor', (), {})

    def Builder(self, logger: Any) -> Any:
        self._logger = logger
        return SimpleNamespace(
            create_network=self._network,
            create_builder_config=self._make_config,
            build_serialized_network=lambda *_: self._build(),
        )

    def OnnxParser(self, *_: Any) -> Any:
        self._logger.log(1, 'an error of the parser that it got over')
        return SimpleNamespace(parse=bool)

    def _network(self, flags: int) -> Any:
        self.asked.append(('network', flags))
        return SimpleNamespace(num_inputs=0)

    def _make_config(self) -> FakeConfig:
        self.config: FakeConfig = self._config_type(self)
        return self.config

    def _build(self) -> bytes | None:
        self.watched = getattr(self.config, 'progress_monitor', None) is not None
        if self.plan is None:
            self._logger.log(1, 'no kernel fits\nthe memory')
        return self.plan


def run_fake_builder(
    request: BuildRequest, name: str, version: str, plan: bytes | None = b'plan'
) -> FakeBuilderModule:
    """Build with a stand-in of a version; return it with what was asked of it."""
    module: Any = FakeBuilderModule(plan, name, version)
    library = TensorRtLibrary(name=name, version=version, module=module)
    assert run_builder(library, request, TARGET, b'network', BuildWatch()) == plan
    fake: FakeBuilderModule = module
    return fake
