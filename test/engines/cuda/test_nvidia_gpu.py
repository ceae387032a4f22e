"""What the driver says of the GPU, with a driver made of Python functions."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu, find_gpu

CALLS = ('cuInit', 'cuDriverGetVersion', 'cuDeviceGet', 'cuDeviceGetName', 'cuDeviceGetAttribute')
CUDA_ERROR_NO_DEVICE = 100


class Driver:
    """The driver of a machine with one GPU, of which one call may fail."""

    def __init__(self, failing: str | None) -> None:
        self.failing = failing

    def status(self, call: str) -> int:
        return CUDA_ERROR_NO_DEVICE if call == self.failing else 0

    def cuInit(self, flags: int) -> int:  # noqa: N802
        assert flags == 0
        return self.status('cuInit')

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = 12060
        return self.status('cuDriverGetVersion')

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:  # noqa: N802
        device._obj.value = 7 + ordinal
        return self.status('cuDeviceGet')

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:  # noqa: N802
        assert (length, device.value) == (len(name), 7)
        name.value = b'Orin'
        return self.status('cuDeviceGetName')

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:  # noqa: N802
        assert device.value == 7
        # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, _COMPUTE_CAPABILITY_MAJOR and _MINOR.
        value._obj.value = {16: 14, 75: 8, 76: 7}[attribute]
        return self.status('cuDeviceGetAttribute')


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    find_gpu.cache_clear()
    yield
    find_gpu.cache_clear()


def test_the_driver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, 'CDLL', lambda _: Driver(None))
    assert find_gpu() == NvidiaGpu(
        name='Orin', compute_capability='8.7', multiprocessors=14, driver_cuda_major=12
    )


@pytest.mark.parametrize('failing', CALLS)
def test_a_driver_without_a_gpu(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    monkeypatch.setattr(ctypes, 'CDLL', lambda _: Driver(failing))
    assert find_gpu() is None


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise OSError(f'{name}: cannot open shared object file')

    monkeypatch.setattr(ctypes, 'CDLL', load)
    assert find_gpu() is None
