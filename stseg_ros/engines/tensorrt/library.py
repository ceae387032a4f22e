"""TensorRT and TensorRT-RTX: which is installed, in which version, and what it reports."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stseg_ros.errors import EngineError

TENSORRT, TENSORRT_RTX = 'tensorrt', 'tensorrt_rtx'
LIBRARIES = (TENSORRT, TENSORRT_RTX)

_OLDEST_TENSORRT = (8, 6)
_FIRST_OF_OPSET_18 = (10,)

# The wheel of NVIDIA's execution provider for ONNX Runtime carries TensorRT-RTX's libraries, which
# the wheel of the bindings alone does not. The parser needs the symbols of the first.
_RTX_BINDINGS = 'tensorrt_rtx_bindings'
_RTX_CARRIER = 'onnxruntime_ep_nv_tensorrt_rtx'
_RTX_SHARED_OBJECTS = ('libtensorrt_rtx.so.1.*', 'libtensorrt_onnxparser_rtx.so.1.*')

_INSTALL = {
    TENSORRT: (
        'pip install tensorrt cuda-python onnx (x86-64, CUDA 13), '
        "tensorrt-cu12 'cuda-python>=12,<13' onnx (CUDA 12); on Jetson apt install "
        'python3-libnvinfer, see docs/nvidia.md'
    ),
    TENSORRT_RTX: 'pip install tensorrt-rtx cuda-python onnx',
}

_KEPT_MESSAGES = 20
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRtLibrary:
    """An imported library.

    Attributes:
        name: 'tensorrt' or 'tensorrt_rtx'.
        version: its full version, such as '10.13.3.9'.
        module: the Python module; both have the same names in it.
    """

    name: str
    version: str
    module: Any

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT-RTX, which builds for a compute capability, without a GPU."""
        return self.name == TENSORRT_RTX

    @property
    def is_strongly_typed(self) -> bool:
        """Whether arithmetic comes from the network; before TensorRT 9.1 a flag allows FP16."""
        return hasattr(self.module.NetworkDefinitionCreationFlag, 'STRONGLY_TYPED')

    @property
    def has_older_parser(self) -> bool:
        """Whether it reads ONNX up to opset 17 only; see `older_parsers`."""
        return not self.is_rtx and _leading_numbers(self.version) < _FIRST_OF_OPSET_18

    @property
    def has_progress_monitor(self) -> bool:
        """Whether a build can be watched, and stopped before its end."""
        return hasattr(self.module, 'IProgressMonitor')


def is_installed(name: str) -> bool:
    """Say whether a library seems to be there, without importing it.

    Args:
        name: one of `LIBRARIES`.

    Returns:
        True where `load_library` is worth a try.
    """
    assert name in LIBRARIES
    modules = (name,) if name == TENSORRT else (name, _RTX_BINDINGS)
    return any(importlib.util.find_spec(module) is not None for module in modules)


def load_library(name: str) -> TensorRtLibrary:
    """Import a library.

    Args:
        name: one of `LIBRARIES`.

    Returns:
        The library.

    Raises:
        EngineError: it is not installed, incomplete or too old; names what to install.
    """
    assert name in LIBRARIES
    if not is_installed(name):
        raise EngineError(f'{name} is not installed; {_INSTALL[name]}')
    try:
        module = importlib.import_module(name) if name == TENSORRT else _import_rtx()
        version = str(module.__version__)
    # Bindings without their shared libraries fail with OSError, or with a module that is empty.
    except (ImportError, OSError, AttributeError) as err:
        raise EngineError(
            f'{name} is installed but does not load ({one_line(err)}); {_INSTALL[name]}'
        ) from err
    if name == TENSORRT and _leading_numbers(version) < _OLDEST_TENSORRT:
        raise EngineError(f'tensorrt is {version}; 8.6 or later is needed, {_INSTALL[name]}')
    return TensorRtLibrary(name=name, version=version, module=module)


class BuilderLogger:
    """What a library said while it built or loaded something.

    Attributes:
        handle: the logger object that the library takes.
        errors: its last errors, oldest first.
        warnings: its last warnings, oldest first.
    """

    def __init__(self) -> None:
        """Start empty; `make_logger` adds the handle."""
        self.handle: Any = None
        self.errors: deque[str] = deque(maxlen=_KEPT_MESSAGES)
        self.warnings: deque[str] = deque(maxlen=_KEPT_MESSAGES)

    def clear(self) -> None:
        """Forget what was said, so that `reason` is that of what comes next."""
        self.errors.clear()
        self.warnings.clear()

    def reason(self) -> str:
        """Return the first kept error, else the last warning, shortened to one line."""
        if self.errors:
            return one_line(self.errors[0])
        return one_line(self.warnings[-1]) if self.warnings else 'no reason given'


def make_logger(library: TensorRtLibrary) -> BuilderLogger:
    """Make a logger that collects a library's errors and warnings and prints nothing.

    Args:
        library: the library that will log to it.

    Returns:
        The logger; give its `handle` to Builder, Runtime and OnnxParser.
    """
    logger = BuilderLogger()
    base: Any = library.module.ILogger

    class Collector(base):  # type: ignore[misc]
        """Sorts messages by severity."""

        def __init__(self) -> None:
            super().__init__()

        def log(self, severity: Any, message: str) -> None:
            if severity in (base.INTERNAL_ERROR, base.ERROR):
                logger.errors.append(message)
            elif severity == base.WARNING:
                logger.warnings.append(message)

    logger.handle = Collector()
    return logger


def one_line(message: object) -> str:
    """Shorten a message of a library to one line.

    Args:
        message: the text, or an exception.

    Returns:
        Its words with single spaces, cut off where it is too long to read.
    """
    text = ' '.join(str(message).split())
    return text if len(text) <= _LONGEST_REASON else f'{text[:_LONGEST_REASON]} ...'


def _import_rtx() -> Any:
    """Import TensorRT-RTX, whole or as bindings beside the wheel that carries its libraries."""
    if importlib.util.find_spec(TENSORRT_RTX) is not None:
        return importlib.import_module(TENSORRT_RTX)
    carrier = importlib.util.find_spec(_RTX_CARRIER)
    # The folder only: importing that package preloads more than is wanted here.
    for folder in (carrier.submodule_search_locations or []) if carrier else []:
        for pattern in _RTX_SHARED_OBJECTS:
            for path in sorted(Path(folder).glob(pattern)):
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    return importlib.import_module(_RTX_BINDINGS)


def _leading_numbers(version: str) -> tuple[int, ...]:
    """Read the numbers of a version, as (8, 6, 1); what follows a non-number is left out."""
    numbers: list[int] = []
    for part in version.split('.'):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
