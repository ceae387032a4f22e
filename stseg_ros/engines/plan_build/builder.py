"""One run of a library's builder: parse, configure, build."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from stseg_ros.engines.plan_build.request import FP16, BuildRequest
from stseg_ros.engines.plan_build.target import BuildTarget, rtx_capabilities
from stseg_ros.engines.plan_build.watch import BuildWatch
from stseg_ros.engines.plan_cache.plan_file import UNFINISHED
from stseg_ros.engines.tensorrt.library import (
    BuilderLogger,
    TensorRtLibrary,
    make_logger,
    one_line,
)
from stseg_ros.errors import EngineError


class BuildStoppedError(EngineError):
    """A build ended early because it was asked to."""


def builder_version() -> str:
    """Name this version of the builder's configuration, for the keys of plans.

    Returns:
        A hash of its code: plans built with other flags are not taken for this one's.
    """
    code = inspect.getsource(sys.modules[__name__])
    return hashlib.sha256(code.encode()).hexdigest()[:12]


def run_builder(
    library: TensorRtLibrary,
    request: BuildRequest,
    target: BuildTarget,
    network: bytes,
    watch: BuildWatch,
) -> bytes:
    """Build a plan in this thread.

    Args:
        library: the library to build with.
        request: what to build.
        target: what to build for.
        network: the serialized ONNX model, prepared.
        watch: is told of the progress, and stops the build.

    Returns:
        The serialized plan.

    Raises:
        EngineError: the library does not take the network, or failed; says why in one line.
        BuildStoppedError: the watch was cancelled.
    """
    logger = make_logger(library)
    failed = f'{library.name} {library.version} cannot build {request.network}'
    try:
        plan = _build(library, request, target, network, watch, logger)
    except EngineError as err:
        raise EngineError(f'{failed}: {err}') from err
    # The bindings raise what pybind11 makes of it: TypeError, ValueError, RuntimeError.
    except Exception as err:
        raise EngineError(f'{failed}: {one_line(err)} ({logger.reason()})') from err
    if watch.cancelled.is_set():
        raise BuildStoppedError(f'{request.network}: the build was stopped')
    if plan is None:
        raise EngineError(f'{failed}: {logger.reason()}')
    return plan


def _build(
    library: TensorRtLibrary,
    request: BuildRequest,
    target: BuildTarget,
    network: bytes,
    watch: BuildWatch,
    logger: BuilderLogger,
) -> bytes | None:
    """Parse, configure and build; None where the library gives no plan.

    The bindings keep alive only some of what an object was made from, so that everything is given
    up in the reverse order: a parser that outlives its network takes the process with it.
    """
    trt = library.module
    monitor = watch.monitor(library) if library.has_progress_monitor else None
    builder = trt.Builder(logger.handle)
    definition = builder.create_network(_network_flags(library))
    # The network's weights lie in the parser, so it lives as long as the build.
    parser = trt.OnnxParser(definition, logger.handle)
    config = builder.create_builder_config()
    try:
        if not parser.parse(network):
            raise EngineError(_parser_errors(parser))
        _configure(library, request, config)
        _add_profiles(request, builder, definition, config)
        if library.is_rtx:
            config.num_compute_capabilities = 1
            capability = rtx_capabilities(library)[target.compute_capability]
            config.set_compute_capability(capability, 0)
        else:
            _load_timing_cache(request.timing_cache, config)
        if monitor is not None:
            config.progress_monitor = monitor
        # What was said so far was of no consequence, and is not why the build fails.
        logger.clear()
        plan = builder.build_serialized_network(definition, config)
        if plan is not None and not library.is_rtx:
            _save_timing_cache(request.timing_cache, config)
        return None if plan is None else bytes(plan)
    finally:
        del config, parser, definition, builder, monitor


def _network_flags(library: TensorRtLibrary) -> int:
    """Ask for a strongly typed network, and for what TensorRT before 10 wants besides."""
    known = library.module.NetworkDefinitionCreationFlag.__members__
    wanted = [known[name] for name in ('STRONGLY_TYPED', 'EXPLICIT_BATCH') if name in known]
    return sum(1 << int(flag) for flag in wanted)


def _configure(library: TensorRtLibrary, request: BuildRequest, config: Any) -> None:
    trt = library.module
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace_bytes)
    config.clear_flag(trt.BuilderFlag.TF32)
    if request.precision == FP16 and not library.is_strongly_typed:
        config.set_flag(trt.BuilderFlag.FP16)
    # TensorRT 8.6 needs to be asked for profiles that several contexts of a plan can use at once.
    # Later versions always have them, and only later ones know strongly typed networks.
    sharing = getattr(getattr(trt, 'PreviewFeature', None), 'PROFILE_SHARING_0806', None)
    if sharing is not None and not library.is_strongly_typed:
        config.set_preview_feature(sharing, True)


def _add_profiles(request: BuildRequest, builder: Any, definition: Any, config: Any) -> None:
    """Say which shapes inputs with a free axis may have."""
    inputs = [definition.get_input(index) for index in range(definition.num_inputs)]
    free = {tensor.name for tensor in inputs if -1 in tuple(tensor.shape)}
    given = {profile.name for profile in request.profiles}
    if free != given:
        raise EngineError(
            f'profiles are given for {_names(given)}, inputs with a free axis are {_names(free)}'
        )
    if not given:
        return
    shapes = builder.create_optimization_profile()
    for profile in request.profiles:
        shapes.set_shape(profile.name, profile.minimum, profile.usual, profile.maximum)
    config.add_optimization_profile(shapes)


def _names(names: set[str]) -> str:
    return ', '.join(sorted(names)) or 'none'


def _parser_errors(parser: Any) -> str:
    """Return the parser's first error, and the node that it is about."""
    if not parser.num_errors:
        return 'the parser gave no reason'
    error = parser.get_error(0)
    # The operator is known from TensorRT 10 on; descriptions alone may be no more than 'false'.
    operator = f' ({error.node_operator()})' if hasattr(error, 'node_operator') else ''
    return one_line(f'node {error.node()}{operator}: {error.code().name}, {error.desc()}')


def _load_timing_cache(path: Path | None, config: Any) -> None:
    """Reuse the times of kernels; a file that is missing or of no use is as good as none."""
    if path is None:
        return
    content = b''
    with suppress(OSError):
        content = path.read_bytes()
    for candidate in (content, b''):
        cache = config.create_timing_cache(candidate)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return


def _save_timing_cache(path: Path | None, config: Any) -> None:
    """Keep the times of kernels; they only save time, so that a full disk is no error."""
    cache = config.get_timing_cache()
    if path is None or cache is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f'{path.stem}.{os.getpid()}{UNFINISHED}')
        part.write_bytes(bytes(cache.serialize()))
        part.replace(path)
