"""The GPU that a plan is built for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu
from stseg_ros.engines.plan_build import target as build_target
from stseg_ros.engines.plan_build.target import find_target, rtx_capabilities
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.errors import EngineError

ORIN = NvidiaGpu(name='Orin', compute_capability='8.7', multiprocessors=16, driver_cuda_major=12)
RTX_4090 = NvidiaGpu(
    name='RTX 4090', compute_capability='8.9', multiprocessors=128, driver_cuda_major=13
)

TENSORRT = TensorRtLibrary(name='tensorrt', version='10.3.0', module=SimpleNamespace())
KNOWN = {'NONE': 0, 'CURRENT': 1, 'SM120': 2, 'SM75': 3, 'SM89': 4}
RTX = TensorRtLibrary(
    name='tensorrt_rtx',
    version='1.7',
    module=SimpleNamespace(ComputeCapability=SimpleNamespace(__members__=KNOWN)),
)


@pytest.fixture
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> NvidiaGpu | None:
    monkeypatch.setattr(build_target, 'find_gpu', lambda: request.param)
    return request.param


def facts(library: TensorRtLibrary, capability: str | None) -> tuple[str, str, int, int]:
    target = find_target(library, capability)
    return (
        target.gpu,
        target.compute_capability,
        target.multiprocessors,
        target.driver_cuda_major,
    )


def test_rtx_lists_what_it_builds_for() -> None:
    assert rtx_capabilities(RTX) == {'7.5': 3, '8.9': 4, '12.0': 2}
    assert list(rtx_capabilities(RTX)) == ['7.5', '8.9', '12.0']


@pytest.mark.parametrize('gpu', [None, ORIN], indirect=True)
def test_rtx_builds_for_any_gpu_of_a_capability(gpu: NvidiaGpu | None) -> None:
    assert facts(RTX, '12.0') == ('any', '12.0', 0, 0)


@pytest.mark.parametrize('gpu', [RTX_4090], indirect=True)
def test_the_machines_gpu_is_the_default(gpu: NvidiaGpu) -> None:
    assert facts(RTX, None) == ('any', '8.9', 0, 0)
    assert facts(TENSORRT, None) == ('RTX 4090', '8.9', 128, 13)
    assert facts(TENSORRT, '8.9') == ('RTX 4090', '8.9', 128, 13)


@pytest.mark.parametrize('gpu', [None], indirect=True)
def test_without_a_gpu_the_capability_has_to_be_named(gpu: None) -> None:
    with pytest.raises(EngineError, match=r'no NVIDIA GPU found; .* --compute-capability 8\.9'):
        find_target(RTX, None)
    with pytest.raises(EngineError, match='no NVIDIA GPU found; tensorrt builds only on'):
        find_target(TENSORRT, '8.9')


@pytest.mark.parametrize('gpu', [ORIN], indirect=True)
def test_what_a_library_cannot_build_for_is_refused(gpu: NvidiaGpu) -> None:
    with pytest.raises(EngineError, match=r'8\.7; it builds for 7\.5, 8\.9, 12\.0; take tensorrt'):
        find_target(RTX, None)
    with pytest.raises(EngineError, match=r'capability 8\.9 on this Orin \(8\.7\); build on'):
        find_target(TENSORRT, '8.9')


@pytest.mark.parametrize('gpu', [None], indirect=True)
@pytest.mark.parametrize('text', ['89', '8', 'sm_89', '8.9.1', ''])
def test_a_capability_is_two_numbers(gpu: None, text: str) -> None:
    with pytest.raises(EngineError, match=r'expected two numbers, such as 8\.9'):
        find_target(RTX, text)
