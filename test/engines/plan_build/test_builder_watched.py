"""The progress of real builds, and their end before time."""

from __future__ import annotations

import _thread
import threading
from typing import Any

import pytest
from support.rtx import CAPABILITY

from stseg_ros.engines.network_rewrite.network_steps import prepare_network
from stseg_ros.engines.plan_build import plans as tensorrt_build
from stseg_ros.engines.plan_build.builder import run_builder
from stseg_ros.engines.plan_build.plans import (
    BuildRequest,
    BuildStoppedError,
    build_plan,
    find_or_build,
)
from stseg_ros.engines.plan_build.target import find_target
from stseg_ros.engines.plan_build.watch import BuildWatch
from stseg_ros.engines.plan_cache.cache import EngineCache
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder


def test_progress_is_told_in_this_thread(library: TensorRtLibrary, request_: BuildRequest) -> None:
    told: list[tuple[float, str]] = []

    def progress(share: float, phase: str) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((share, phase))

    build_plan(library, request_, progress=progress)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert 0.5 < shares[-1] <= 1.0
    assert len({phase for _, phase in told}) > 3


def test_the_builder_itself_ends_when_cancelled(
    library: TensorRtLibrary, request_: BuildRequest
) -> None:
    target = find_target(library, CAPABILITY)
    content = prepare_network(
        request_.network, half=True, order=ChannelOrder.RGB, logits='float32'
    )
    watch = BuildWatch()
    watch.cancelled.set()
    with pytest.raises(BuildStoppedError):
        run_builder(library, request_, target, content, watch)
    steps = 0
    while not watch.progress.empty():
        watch.progress.get()
        steps += 1
    # A build of this network that goes on to its end tells of some ninety.
    assert steps < 20


def test_stop_leaves_nothing_behind(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    with pytest.raises(BuildStoppedError, match=r'network\.onnx: the build was stopped'):
        find_or_build(library, request_, cache, stop=lambda: True)
    assert cache.entries() == []
    assert not list(cache.root.glob('*.p*'))
    assert not find_or_build(library, request_, cache).was_cached


def told_of(
    library: TensorRtLibrary, request: BuildRequest, cache: EngineCache
) -> list[tuple[float, str]]:
    told: list[tuple[float, str]] = []
    find_or_build(library, request, cache, progress=lambda *news: told.append(news))
    return told


def test_the_end_of_a_build_is_told(
    library: TensorRtLibrary,
    request_: BuildRequest,
    cache: EngineCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = told_of(library, request_, cache)
    assert told[-1] == (1.0, '')
    assert len(told) > 10
    assert all(phase for _, phase in told[:-1])
    assert told_of(library, request_, cache) == []

    def fail(*_: Any) -> bytes:
        raise EngineError('no memory')

    cache.clean()
    monkeypatch.setattr(tensorrt_build, 'run_builder', fail)
    failed: list[tuple[float, str]] = []
    with pytest.raises(EngineError, match='no memory'):
        find_or_build(library, request_, cache, progress=lambda *news: failed.append(news))
    assert failed == [(1.0, '')]


def test_ctrl_c_leaves_nothing_behind(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    def progress(share: float, phase: str) -> None:
        # As Ctrl-C does, but for the signal itself: once a network has used AMX, its frame does
        # not fit the stack that pytest sets aside for signals.
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        find_or_build(library, request_, cache, progress=progress)
    assert 'build' not in {thread.name for thread in threading.enumerate()}
    assert not list(cache.root.glob('*.p*'))
