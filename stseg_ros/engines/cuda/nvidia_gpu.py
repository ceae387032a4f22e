"""The machine's NVIDIA GPU, asked of the driver itself: no toolkit, no package, no context."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

_DRIVER = 'libcuda.so.1'
_SUCCESS = 0
# CUdevice_attribute of the driver API.
_MULTIPROCESSORS, _CAPABILITY_MAJOR, _CAPABILITY_MINOR = 16, 75, 76
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaGpu:
    """One GPU.

    Attributes:
        name: as the driver calls it, such as 'NVIDIA GeForce RTX 4090'.
        compute_capability: such as '8.9'.
        multiprocessors: how many it has. Some GPUs share a name and differ in this: boards with
            parts switched off, and slices of one GPU.
        driver_cuda_major: major version of the CUDA that the driver offers, such as 13.
    """

    name: str
    compute_capability: str
    multiprocessors: int
    driver_cuda_major: int


@lru_cache(maxsize=1)
def find_gpu() -> NvidiaGpu | None:
    """Ask the driver for the first GPU that CUDA shows.

    Returns:
        The GPU, or None where there is no driver or no GPU. Asked once per process.
    """
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    version, device = ctypes.c_int(), ctypes.c_int()
    major, minor, multiprocessors = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_LONGEST_NAME)
    statuses = (
        driver.cuInit(0),
        driver.cuDriverGetVersion(ctypes.byref(version)),
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDeviceGetName(name, _LONGEST_NAME, device),
        driver.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device),
        driver.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device),
        driver.cuDeviceGetAttribute(ctypes.byref(multiprocessors), _MULTIPROCESSORS, device),
    )
    if any(status != _SUCCESS for status in statuses):
        return None
    return NvidiaGpu(
        name=name.value.decode(errors='replace'),
        compute_capability=f'{major.value}.{minor.value}',
        multiprocessors=multiprocessors.value,
        driver_cuda_major=version.value // 1000,
    )
