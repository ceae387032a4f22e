"""Tests of the room for shared memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.doctor.shared_memory import SharedMemoryCheck

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def check(folder: Path, monkeypatch: pytest.MonkeyPatch, *, total: int, free: int) -> Finding:
    usage = SimpleNamespace(total=total, free=free)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
    return SharedMemoryCheck(folder=folder).run()


# A process takes 16 MB, and there are three; a container has 64 MB unless given more.
@pytest.mark.parametrize(
    ('free', 'status'),
    [
        (64 * MB, Status.OK),
        (48 * MB, Status.OK),
        (48 * MB - 1, Status.WARNING),
        (16 * MB, Status.WARNING),
        (16 * MB - 1, Status.ERROR),
    ],
)
def test_room_for_three_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: Status
) -> None:
    found = check(folder, monkeypatch, total=64 * MB, free=free)
    assert found.status is status
    assert ('--shm-size' in found.advice) == (status is not Status.OK)


def test_what_fast_dds_holds_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('fastdds_0123456789abcdef', 'fastrtps_fedcba9876543210'):
        with (folder / name).open('wb') as file:
            file.truncate(16 * MB)
    (folder / 'other').write_bytes(bytes(5000))
    found = check(folder, monkeypatch, total=64 * MB, free=20 * MB)
    assert found.details['fast_dds_bytes'] == 32 * MB
    assert '34 MB' in found.advice
    assert 'fastdds shm clean' in found.advice


def test_no_shared_memory_at_all(tmp_path: Path) -> None:
    found = SharedMemoryCheck(folder=tmp_path / 'missing').run()
    assert found.status is Status.ERROR
    assert 'is missing' in found.summary
