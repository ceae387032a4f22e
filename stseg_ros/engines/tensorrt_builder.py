"""One run of a library's builder: parse, configure, build."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from stseg_ros.engines.build_request import FP16, BuildRequest
from stseg_ros.engines.build_target import BuildTarget, rtx_capabilities
from stseg_ros.engines.build_watch import BuildWatch
from stseg_ros.engines.plan_file import UNFINISHED
from stseg_ros.engines.tensorrt_library import TensorRtLibrary, make_logger, one_line
from stseg_ros.errors import EngineError


class BuildStoppedError(EngineError):
    """A build ended early because it was asked to."""


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
    trt = library.module
    logger = make_logger(library)
    failed = f'{library.name} {library.version} cannot build {request.onnx_path}'
    try:
        builder = trt.Builder(logger.handle)
        definition = builder.create_network(_network_flags(library))
        # The network's weights lie in the parser, so it lives as long as the build.
        parser = trt.OnnxParser(definition, logger.handle)
        if not parser.parse(network):
            raise EngineError(f'{failed}: {_parser_errors(parser)}')
        config = builder.create_builder_config()
        _configure(library, request, config)
        _add_profiles(request, builder, definition, config)
        if library.is_rtx:
            config.num_compute_capabilities = 1
            capability = rtx_capabilities(library)[target.compute_capability]
            config.set_compute_capability(capability, 0)
        else:
            _load_timing_cache(request.timing_cache, config)
        if library.has_progress_monitor:
            config.progress_monitor = watch.monitor(library)
        plan = builder.build_serialized_network(definition, config)
    except EngineError:
        raise
    # The bindings raise what pybind11 makes of it: TypeError, ValueError, RuntimeError.
    except Exception as err:
        raise EngineError(f'{failed}: {one_line(err)} ({logger.reason()})') from err
    if watch.cancelled.is_set():
        raise BuildStoppedError(f'{request.onnx_path}: the build was stopped')
    if plan is None:
        raise EngineError(f'{failed}: {logger.reason()}')
    if not library.is_rtx:
        _save_timing_cache(request.timing_cache, config)
    return bytes(plan)


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


def _add_profiles(request: BuildRequest, builder: Any, definition: Any, config: Any) -> None:
    """Say which shapes inputs with a free axis may have."""
    inputs = [definition.get_input(index) for index in range(definition.num_inputs)]
    free = {tensor.name for tensor in inputs if -1 in tuple(tensor.shape)}
    given = {profile.name for profile in request.profiles}
    if free != given:
        raise EngineError(
            f'{request.onnx_path}: profiles are given for {_names(given)}, inputs with a free '
            f'axis are {_names(free)}'
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
