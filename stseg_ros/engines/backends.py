"""The known backends, and the choice among them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.errors import ConfigError, EngineError

AUTO = 'auto'

# Best first: the order in which 'auto' tries them.
BACKENDS = {
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
        self.refine.close()
        self.coarse.close()


def open_pair(
    coarse_path: Path, refine_path: Path, *, backend: str, options: EngineOptions
) -> EnginePair:
    """Open both networks on the backend that was named, or on the best that opens.

    Args:
        coarse_path: ONNX file of stage 1.
        refine_path: ONNX file of stage 2.
        backend: a name in `BACKENDS`, or 'auto'.
        options: threads and precision, and the refine network's largest batch.

    Returns:
        The opened networks.

    Raises:
        ConfigError: there is no backend of that name.
        EngineError: the named backend does not open, or with 'auto' none does.
    """
    if backend == AUTO:
        candidates = list(BACKENDS)
    elif backend in BACKENDS:
        candidates = [backend]
    else:
        raise ConfigError(f'backend is {backend!r}; expected one of {AUTO}, {", ".join(BACKENDS)}')
    passed_over = []
    for name in candidates:
        try:
            coarse, refine = _open_both(name, coarse_path, refine_path, options)
        except EngineError as err:
            if backend != AUTO:
                raise
            passed_over.append(f'{name}: {err}')
            continue
        reason = 'as asked' if backend != AUTO else 'the best that opens here'
        note = '; passed over '.join([f'{name} on {refine.device}, {reason}', *passed_over])
        return EnginePair(coarse=coarse, refine=refine, note=note)
    raise EngineError('no backend opens: ' + '; '.join(passed_over))


def open_engine(backend: str, path: Path, options: EngineOptions) -> InferenceEngine:
    """Open one network on one backend.

    Args:
        backend: a name in `BACKENDS`.
        path: ONNX file.
        options: threads, precision and largest batch.

    Returns:
        The opened network.

    Raises:
        EngineError: the backend does not open it.
    """
    module_name, class_name = BACKENDS[backend].split(':')
    engine_type = getattr(importlib.import_module(module_name), class_name)
    engine: InferenceEngine = engine_type(path, options)
    return engine


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
