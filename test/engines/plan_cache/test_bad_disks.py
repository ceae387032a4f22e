"""Folders that cannot be written or read: plans then run from memory."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.kept_plans import KEY

from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey

# Of nobody, as far as tests are concerned; only root can become it.
OTHER_USER = 65534


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Make a folder that other users can reach; pytest's own they cannot."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_that_cannot_be_synchronised_keeps_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def refuse_folders(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, 'Invalid argument')
        real(handle)

    monkeypatch.setattr(os, 'fsync', refuse_folders)
    warnings: list[str] = []
    cache = EngineCache(tmp_path / 'engines', warn=warnings.append)
    assert cache.put(KEY, b'a plan') is not None
    assert cache.get(KEY) == b'a plan'
    assert warnings == []


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write to a folder away, also where tests run as root."""
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(OTHER_USER)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_read_only_cache_takes_nothing(
    shared_folder: Path, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    cache = EngineCache(shared_folder, warn=warnings.append)
    with read_only(shared_folder), cache.lock(key):
        assert cache.put(key, plan) is None
    (warning,) = warnings
    assert str(shared_folder) in warning
    assert 'Permission denied' in warning
    assert 'from memory' in warning
    assert not list(shared_folder.iterdir())


def test_a_read_only_cache_gives_but_not_what_does_not_load(
    shared_folder: Path, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    path = EngineCache(shared_folder).put(key, plan)
    assert path is not None
    cache = EngineCache(shared_folder, warn=warnings.append)
    with read_only(shared_folder):
        assert cache.get(key) == plan
        assert not warnings
        cache.set_aside(key, 'the library does not load it')
        assert cache.get(key) is None
        assert path.exists()
    assert 'not used, but stays there' in warnings[0]


def test_a_full_disk_leaves_nothing_behind(
    cache: EngineCache, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system refuses to write beyond this size, as it refuses when the disk is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(plan) // 2, kept[1]))
    try:
        assert cache.put(key, plan) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert 'cannot be written (File too large)' in warnings[0]
    assert not list(cache.root.iterdir())
    assert cache.get(key) is None


def test_a_file_where_the_folder_should_be(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / 'engines').write_text('a file')
    cache = EngineCache(tmp_path / 'engines', warn=warnings.append)
    with cache.lock(KEY):
        assert cache.get(KEY) is None
        assert cache.put(KEY, b'plan') is None
    assert len(warnings) == 1
    assert cache.entries() == []
    assert cache.clean() == 0


def test_a_plan_that_cannot_be_read_is_told_once(cache: EngineCache, warnings: list[str]) -> None:
    path = cache.put(KEY, b'plan')
    assert path is not None
    path.unlink()
    path.mkdir()
    assert cache.get(KEY) is None
    assert cache.get(KEY) is None
    (warning,) = warnings
    assert 'cannot be read (Is a directory)' in warning
    path.rmdir()
    cache.put(KEY, b'plan')
    assert cache.get(KEY) == b'plan'


def test_a_folder_that_vanishes_is_made_again(cache: EngineCache) -> None:
    cache.put(KEY, b'plan')
    shutil.rmtree(cache.root)
    assert cache.get(KEY) is None
    assert cache.put(KEY, b'plan') is not None
    assert cache.get(KEY) == b'plan'
