"""Buffers on both sides: views of the same memory, and both freed."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack

import numpy as np
import pytest
from support.fake_cuda import FakeCuda

from stseg_ros.engines.cuda.buffers import allocate_pair
from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.errors import EngineError


def test_a_view_is_the_pinned_memory_itself() -> None:
    fake, stack = FakeCuda(), ExitStack()
    pair = allocate_pair(CudaRuntime(fake), 48, stack)
    pair.view((2, 3), np.dtype('float32'))[...] = 1.5
    held = (ctypes.c_float * 6).from_address(pair.host_address)
    assert list(held) == [1.5] * 6
    stack.close()
    assert not fake.live


def test_a_view_beyond_the_memory_is_refused() -> None:
    with ExitStack() as stack:
        pair = allocate_pair(CudaRuntime(FakeCuda()), 48, stack)
        with pytest.raises(TypeError, match='too small'):
            pair.view((49,), np.dtype('uint8'))


def test_without_memory_on_the_device_the_host_side_is_freed() -> None:
    fake = FakeCuda(fail_at=1)
    with pytest.raises(EngineError, match='cudaMalloc'), ExitStack() as stack:
        allocate_pair(CudaRuntime(fake), 48, stack)
    assert not fake.live
