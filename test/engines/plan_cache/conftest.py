"""A cache in a folder of its own, its warnings, and a real plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rtx import CAPABILITY, require_rtx
from support.tiny_networks import write_conv_network

from stseg_ros.engines.plan_build.plans import BuildRequest, build_plan, plan_key
from stseg_ros.engines.plan_build.target import find_target
from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, warnings: list[str]) -> EngineCache:
    return EngineCache(tmp_path / 'engines', warn=warnings.append)


@pytest.fixture(scope='module')
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlanKey, bytes]:
    """Build a plan once."""
    library = require_rtx()
    path = write_conv_network(tmp_path_factory.mktemp('real') / 'n.onnx', (8, 16), batch=1)
    request = BuildRequest(network=path, compute_capability=CAPABILITY)
    return plan_key(library, request, find_target(library, CAPABILITY)), build_plan(
        library, request
    )
