"""The real builder of TensorRT-RTX, a network for it, and a cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rtx import CAPABILITY, require_rtx
from support.tiny_networks import write_conv_network

from stseg_ros.engines.plan_build.plans import (
    BuildRequest,
    network_request,
)
from stseg_ros.engines.plan_cache.cache import EngineCache
from stseg_ros.engines.tensorrt.library import TensorRtLibrary


@pytest.fixture
def library() -> TensorRtLibrary:
    return require_rtx()


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_conv_network(tmp_path / 'network.onnx', (8, 16), batch=1, stored_half=True)


@pytest.fixture
def request_(network: Path) -> BuildRequest:
    return network_request(network, compute_capability=CAPABILITY)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, warnings: list[str]) -> EngineCache:
    return EngineCache(tmp_path / 'engines', warn=warnings.append)
