"""Tests of kept engines that are whole, damaged, foreign or cannot be kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.kept_plans import KEY

from stseg_ros.doctor.cache_check import CacheCheck
from stseg_ros.doctor.finding import Status
from stseg_ros.engines.plan_cache.cache import EngineCache


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Keep one engine and return its file."""
    path = EngineCache(tmp_path / 'engines').put(KEY, bytes(range(100)))
    assert path is not None
    return path


def test_engines_that_are_whole(plan: Path) -> None:
    found = CacheCheck(root=plan.parent).run()
    assert found.status is Status.OK
    assert found.summary.startswith('1 engines, all whole')


def test_the_users_cache_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    found = CacheCheck().run()
    assert found.status is Status.OK
    assert found.details['root'] == str(tmp_path / 'stseg_ros' / 'engines')
    assert not list(tmp_path.iterdir())


def cut(plan: Path) -> None:
    plan.write_bytes(plan.read_bytes()[:-1])


def alter(plan: Path) -> None:
    content = bytearray(plan.read_bytes())
    content[-1] ^= 1
    plan.write_bytes(content)


def replace(plan: Path) -> None:
    plan.write_bytes(b'something else')


def rename(plan: Path) -> None:
    plan.rename(plan.with_stem('f' * 64))


@pytest.mark.parametrize(
    ('harm', 'reason'),
    [
        (cut, 'has 99 of 100 bytes'),
        (alter, 'was altered'),
        (replace, 'is not a plan file'),
        (rename, 'has a name that is not its own'),
    ],
)
def test_damaged_engines(plan: Path, harm: object, reason: str) -> None:
    assert callable(harm)
    harm(plan)
    found = CacheCheck(root=plan.parent).run()
    assert found.status is Status.WARNING
    assert '1 of 1 engines' in found.summary
    assert reason in found.summary
    assert 'stseg build --clean' in found.advice


def test_engines_that_were_set_aside_are_told(plan: Path) -> None:
    plan.rename(plan.with_suffix('.bad'))
    found = CacheCheck(root=plan.parent).run()
    assert found.status is Status.OK
    assert '1 set aside' in found.summary


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    found = CacheCheck(root=tmp_path / 'file' / 'engines').run()
    assert found.status is Status.WARNING
    assert 'cannot be written' in found.summary
