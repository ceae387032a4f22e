"""Builds TensorRT plans from ONNX networks, and takes them from the cache where they are there.

FP16 is in the graph, see `network_rewrite.half_graph`: networks are strongly typed wherever the
library knows such networks. Up to TensorRT 9.0 the same graph is built with the flag that allows
FP16. TF32 is off, so that float32 is float32.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from stseg_ros.engines.onnx_source import read_source, source_sha256
from stseg_ros.engines.plan_build.builder import (
    BuildStoppedError,
    builder_version,
    run_builder,
)
from stseg_ros.engines.plan_build.request import (
    FP16,
    FP32,
    BuildRequest,
    InputProfile,
    network_request,
    network_requests,
    network_steps,
)
from stseg_ros.engines.plan_build.target import BuildTarget, find_target
from stseg_ros.engines.plan_build.watch import run_watched
from stseg_ros.engines.plan_cache.cache import EngineCache
from stseg_ros.engines.plan_cache.plan_file import PlanKey
from stseg_ros.engines.tensorrt.library import TensorRtLibrary

# With the names that whoever has plans built needs besides.
__all__ = [
    'FP16',
    'FP32',
    'BuildRequest',
    'BuildStoppedError',
    'FoundPlan',
    'InputProfile',
    'Progress',
    'Stop',
    'build_plan',
    'find_or_build',
    'network_request',
    'network_requests',
    'plan_key',
]

# Share done in [0, 1], and the phase's name.
Progress = Callable[[float, str], None]
Stop = Callable[[], bool]

WAITING = 'waiting for another process that builds the same plan'
# In place of a phase: nothing is being built any more, be it that the build is done or has failed.
ENDED = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlan:
    """A plan, and where it came from.

    Attributes:
        key: its key in the cache.
        plan: the serialized plan.
        was_cached: whether it was there already.
        is_kept: whether the next start will find it.
        seconds: how long finding or building it took.
    """

    key: PlanKey
    plan: bytes
    was_cached: bool
    is_kept: bool
    seconds: float


def build_plan(
    library: TensorRtLibrary,
    request: BuildRequest,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> bytes:
    """Build a plan; takes seconds with TensorRT-RTX, minutes with TensorRT.

    Args:
        library: the library to build with.
        request: what to build.
        progress: called in this thread with the share done and the phase.
        stop: asked in this thread several times a second; True stops the build at its next step.

    Returns:
        The serialized plan.

    Raises:
        EngineError: the network or a setting is not taken, or the library failed.
        BuildStoppedError: `stop` returned True.
        KeyboardInterrupt: Ctrl-C; the library has ended its work by then.
    """
    target = find_target(library, request.compute_capability)
    return _build(library, request, target, progress, stop)


def find_or_build(
    library: TensorRtLibrary,
    request: BuildRequest,
    cache: EngineCache,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> FoundPlan:
    """Take a plan from the cache, or build it and keep it there, and say which.

    Only one process builds a plan; others wait for it. A cache that cannot be written costs time
    at the next start, and a warning.

    Args:
        library: the library to build with.
        request: what to build; the cache keeps the times of kernels where it names no file.
        cache: where plans are kept.
        progress: see `build_plan`; called last with (1.0, ''), in any case, unless the plan was
            there.
        stop: see `build_plan`; also ends the waiting for another process.

    Returns:
        The plan.

    Raises:
        EngineError: see `build_plan`.
        BuildStoppedError: see `build_plan`.
        KeyboardInterrupt: see `build_plan`.
    """

    def tell(share: float, phase: str) -> None:
        if progress is not None:
            progress(share, phase)

    began = time.monotonic()
    target = find_target(library, request.compute_capability)
    title = request.network.name
    # Once, for the key and for the plan: whoever waits for another process to build may do so for
    # minutes, and the plan of a file that changed meanwhile would be kept as that of the old one.
    request = replace(request, network=read_source(request.network))
    key = plan_key(library, request, target)
    plan = cache.get(key)
    if plan is not None:
        return _found(key, plan, began, was_cached=True)

    try:
        with cache.lock(key, stop=stop, on_wait=lambda: tell(0.0, WAITING)):
            plan = cache.get(key)
            if plan is not None:
                return _found(key, plan, began, was_cached=True)
            if stop is not None and stop():
                raise BuildStoppedError(f'{request.network}: the build was stopped')
            if request.timing_cache is None:
                timing_cache = cache.timing_cache(library.name, library.version, target.gpu)
                request = replace(request, timing_cache=timing_cache)
            plan = _build(library, request, target, progress, stop)
            path = cache.put(key, plan, network=title)
    finally:
        tell(1.0, ENDED)
    return _found(key, plan, began, was_cached=False, is_kept=path is not None)


def plan_key(library: TensorRtLibrary, request: BuildRequest, target: BuildTarget) -> PlanKey:
    """Name everything that the plan of a request depends on.

    Args:
        library: the library to build with.
        request: what to build.
        target: what to build for.

    Returns:
        The key in the cache.

    Raises:
        EngineError: the network cannot be read, or onnx is not installed.
    """
    flags = {
        'order': request.order.value,
        'logits': request.logits,
        'workspace': request.workspace_bytes,
        'steps': network_steps().steps_version(),
        'builder': builder_version(),
    }
    return PlanKey(
        onnx_sha256=source_sha256(request.network),
        library=library.name,
        version=library.version,
        gpu=target.gpu,
        compute_capability=target.compute_capability,
        multiprocessors=target.multiprocessors,
        driver_cuda_major=target.driver_cuda_major,
        precision=request.precision,
        profiles=' '.join(sorted(profile.text() for profile in request.profiles)),
        flags=' '.join(f'{name}={value}' for name, value in flags.items()),
    )


def _build(
    library: TensorRtLibrary,
    request: BuildRequest,
    target: BuildTarget,
    progress: Progress | None,
    stop: Stop | None,
) -> bytes:
    """Prepare the network and run the builder beside this thread."""
    network = network_steps().prepare_network(
        request.network,
        half=request.precision == FP16,
        order=request.order,
        logits=request.logits,
        for_older_parser=library.has_older_parser,
    )
    build = functools.partial(run_builder, library, request, target, network)
    return run_watched(build, progress=progress, stop=stop)


def _found(
    key: PlanKey, plan: bytes, began: float, *, was_cached: bool, is_kept: bool = True
) -> FoundPlan:
    return FoundPlan(
        key=key,
        plan=plan,
        was_cached=was_cached,
        is_kept=is_kept,
        seconds=time.monotonic() - began,
    )
