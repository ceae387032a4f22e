"""The known backends, and the choice among them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.engines.nvidia_gpu import find_gpu
from stseg_ros.engines.tensorrt_library import LIBRARIES, is_installed
from stseg_ros.errors import ConfigError, EngineError

AUTO = 'auto'

# Best first: the order in which 'auto' tries them.
BACKENDS = {
    'tensorrt': 'stseg_ros.engines.tensorrt_engine:TensorRtEngine',
    'tensorrt_rtx': 'stseg_ros.engines.tensorrt_engine:TensorRtRtxEngine',
    'openvino': 'stseg_ros.engines.openvino_engine:OpenVinoEngine',
    'onnxruntime': 'stseg_ros.engines.onnxruntime_engine:OnnxRuntimeEngine',
}


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
    if backend != AUTO and backend not in BACKENDS:
        raise ConfigError(f'backend is {backend!r}; expected one of {AUTO}, {", ".join(BACKENDS)}')
    passed_over: dict[str, list[str]] = {}
    for name in BACKENDS if backend == AUTO else [backend]:
        reason = _not_worth_a_try(name) if backend == AUTO else ''
        if not reason:
            try:
                coarse, refine = _open_both(name, coarse_path, refine_path, options)
            except EngineError as err:
                if backend != AUTO or (options.stop is not None and options.stop()):
                    raise
                reason = str(err)
            else:
                why = 'the best that opens here' if backend == AUTO else 'as asked'
                taken = f'{name} on {refine.device}, {why}'
                note = '; passed over '.join([taken, *_by_reason(passed_over)])
                return EnginePair(coarse=coarse, refine=refine, note=note)
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
    module_name, class_name = BACKENDS[backend].split(':')
    engine_type = getattr(importlib.import_module(module_name), class_name)
    engine: InferenceEngine = engine_type(path, options)
    return engine


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
