"""TensorRT-RTX, whose builder runs without a GPU, for the tests that build real plans."""

from __future__ import annotations

import pytest

from stseg_ros.engines.tensorrt.library import TENSORRT_RTX, TensorRtLibrary, load_library
from stseg_ros.errors import EngineError

CAPABILITY = '8.9'
# How a plan of TensorRT-RTX begins.
RTX_MAGIC = b'vtrt'


def require_rtx() -> TensorRtLibrary:
    """Return the library, or skip with the reason."""
    try:
        return load_library(TENSORRT_RTX)
    except EngineError as err:
        pytest.skip(f'needs TensorRT-RTX: {err}')
