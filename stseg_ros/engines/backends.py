"""The known backends, and the choice among them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.engines.graph_runner import GraphRunner
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.engines.tensorrt.library import LIBRARIES, is_installed
from stseg_ros.errors import ConfigError, EngineError

AUTO = 'auto'

# Best first: the order in which 'auto' tries them.
BACKENDS = {
    'tensorrt': 'stseg_ros.engines.tensorrt.engine:TensorRtEngine',
    'tensorrt_rtx': 'stseg_ros.engines.tensorrt.engine:TensorRtRtxEngine',
    'openvino': 'stseg_ros.engines.openvino.engine:OpenVinoEngine',
    'onnxruntime': 'stseg_ros.engines.onnxruntime.engine:OnnxRuntimeEngine',
}

# What runs a whole frame as one graph on each.
GRAPH_RUNNERS = {
    'tensorrt': 'stseg_ros.engines.tensorrt.graph:TensorRtGraph',
    'tensorrt_rtx': 'stseg_ros.engines.tensorrt.graph:TensorRtRtxGraph',
    'openvino': 'stseg_ros.engines.openvino.graph:OpenVinoGraph',
    'onnxruntime': 'stseg_ros.engines.onnxruntime.graph:OnnxRuntimeGraph',
}

Opened = TypeVar('Opened')


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePair:
    """Both networks, opened on one backend.

    Attributes:
        coarse: stage 1.
        refine: stage 2.
        note: which backend was taken and why others were passed over, one line for people.
    """

    coarse: InferenceEngine
    refine: InferenceEngine
    note: str

    def close(self) -> None:
        """Close both networks."""
        try:
            self.refine.close()
        finally:
            self.coarse.close()


def open_pair(
    coarse_path: Path, refine_path: Path, *, backend: str, options: EngineOptions
) -> EnginePair:
    """Open both networks on the backend that was named, or on the best that opens.

    Args:
        coarse_path: ONNX file of stage 1.
        refine_path: ONNX file of stage 2.
        backend: a name in `BACKENDS`, or 'auto'.
        options: threads and precision, and the refine network's batches.

    Returns:
        The opened networks.

    Raises:
        ConfigError: there is no backend of that name.
        EngineError: the named backend does not open, or with 'auto' none does, or `options.stop`
            ended it.
    """

    def open_on(name: str) -> tuple[InferenceEngine, InferenceEngine]:
        return _open_both(name, coarse_path, refine_path, options)

    (coarse, refine), note = open_best(
        backend, open_on, device_of=lambda pair: pair[1].device, stop=options.stop
    )
    return EnginePair(coarse=coarse, refine=refine, note=note)


def open_best(
    backend: str,
    open_on: Callable[[str], Opened],
    *,
    device_of: Callable[[Opened], str],
    stop: Callable[[], bool] | None = None,
) -> tuple[Opened, str]:
    """Open something on the backend that was named, or on the best on which it opens.

    Args:
        backend: a name in `BACKENDS`, or 'auto'.
        open_on: opens it on a backend; EngineError where that cannot be.
        device_of: tells what it runs on.
        stop: whether opening was told to give up, so that no other backend is tried.

    Returns:
        What was opened; and which backend was taken and why others were passed over, one line.

    Raises:
        ConfigError: there is no backend of that name.
        EngineError: the named backend does not open, or with 'auto' none does, or `stop` ended it.
    """
    if backend != AUTO and backend not in BACKENDS:
        raise ConfigError(f'backend is {backend!r}; expected one of {AUTO}, {", ".join(BACKENDS)}')
    passed_over: dict[str, list[str]] = {}
    for name in BACKENDS if backend == AUTO else [backend]:
        reason = _not_worth_a_try(name) if backend == AUTO else ''
        if not reason:
            try:
                opened = open_on(name)
            except EngineError as err:
                if backend != AUTO or (stop is not None and stop()):
                    raise
                reason = str(err)
            else:
                why = 'the best that opens here' if backend == AUTO else 'as asked'
                taken = f'{name} on {device_of(opened)}, {why}'
                return opened, '; passed over '.join([taken, *_by_reason(passed_over)])
        passed_over.setdefault(reason, []).append(name)
    raise EngineError('no backend opens: ' + '; '.join(_by_reason(passed_over)))


def open_engine(backend: str, path: Path, options: EngineOptions) -> InferenceEngine:
    """Open one network on one backend.

    Args:
        backend: a name in `BACKENDS`.
        path: ONNX file.
        options: threads, precision and batches.

    Returns:
        The opened network.

    Raises:
        EngineError: the backend does not open it.
    """
    engine: InferenceEngine = _class_at(BACKENDS[backend])(path, options)
    return engine


def open_graph(backend: str, model: NamedModel, options: EngineOptions) -> GraphRunner:
    """Open one graph of a whole frame on one backend.

    Args:
        backend: a name in `GRAPH_RUNNERS`.
        model: the graph.
        options: threads and precision.

    Returns:
        The opened graph.

    Raises:
        EngineError: the backend does not open it.
    """
    runner: GraphRunner = _class_at(GRAPH_RUNNERS[backend])(model, options)
    return runner


def _class_at(place: str) -> Any:
    """Import the class that is named as module:Class."""
    module_name, class_name = place.split(':')
    return getattr(importlib.import_module(module_name), class_name)


def _not_worth_a_try(name: str) -> str:
    """Say why a backend cannot open here, as far as that shows without importing it."""
    if name not in LIBRARIES:
        return ''
    if find_gpu() is None:
        return 'no NVIDIA GPU here'
    return '' if is_installed(name) else 'not installed'


def _by_reason(passed_over: dict[str, list[str]]) -> list[str]:
    """Name the backends that share a reason together."""
    return [f'{", ".join(names)}: {reason}' for reason, names in passed_over.items()]


def _open_both(
    name: str, coarse_path: Path, refine_path: Path, options: EngineOptions
) -> tuple[InferenceEngine, InferenceEngine]:
    """Open both networks on one backend; if the second fails the first is closed."""
    coarse = open_engine(name, coarse_path, options)
    try:
        refine = open_engine(name, refine_path, options)
    except EngineError:
        coarse.close()
        raise
    return coarse, refine
