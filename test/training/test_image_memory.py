from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.errors import DataError
from stseg_ros.training.image_memory import ImageMemory, machine_budget


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def test_holds_what_fits_and_maps_the_rest(cache: Path) -> None:
    memory = ImageMemory(budget_bytes=250, file_bytes=1000)
    rng = np.random.default_rng(0)
    shapes = [(10, 10), (10, 15), (5, 20, 3), (40, 20), (30, 50), (7,)]
    given = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
    held = [memory.hold(array) for array in given]
    assert [one is other for one, other in zip(held, given, strict=True)] == [True] * 2 + [
        False
    ] * 4
    for one, other in zip(held, given, strict=True):
        assert np.array_equal(one, other)
    assert list((cache / 'stseg_ros').iterdir()) == []


def test_a_full_disk_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, 'posix_fallocate', full)
    with pytest.raises(DataError, match=r'2\.0 GB .*No space left on device; free space there'):
        ImageMemory(budget_bytes=0, file_bytes=2_000_000_000).hold(np.zeros(1, np.uint8))


def test_processes_on_one_machine_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    alone = machine_budget()
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    assert machine_budget() == alone // 4
