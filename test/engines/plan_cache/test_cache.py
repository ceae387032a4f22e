"""The cache of plans: what it gives back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.kept_plans import KEY, only_file, other

from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey


def test_a_real_plan_comes_back(
    cache: EngineCache, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    assert cache.get(key) is None
    assert not cache.root.exists()
    path = cache.put(key, plan, network='n.onnx')
    assert path == only_file(cache, '.plan')
    assert EngineCache(cache.root).get(key) == plan
    assert cache.get(other(key, 'precision')) is None
    (entry,) = cache.entries()
    assert (entry.path, entry.header.key, entry.header.plan_bytes) == (path, key, len(plan))
    assert entry.header.facts == {'network': 'n.onnx'}
    assert not warnings
    assert [file.name for file in cache.root.iterdir()] == [path.name]


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert EngineCache().root == tmp_path / 'stseg_ros' / 'engines'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    assert EngineCache().root == tmp_path / 'home' / '.cache' / 'stseg_ros' / 'engines'


def test_a_plan_that_does_not_load_is_set_aside(cache: EngineCache, warnings: list[str]) -> None:
    cache.put(KEY, b'plan')
    cache.set_aside(KEY, 'the library does not load it')
    assert cache.get(KEY) is None
    assert 'the library does not load it' in warnings[0]
    assert not list(cache.root.glob('*.plan'))


def test_clean_deletes_everything_and_counts(cache: EngineCache) -> None:
    cache.put(KEY, b'plan')
    cache.put(replace(KEY, driver_cuda_major=0), b'bad')
    cache.set_aside(replace(KEY, driver_cuda_major=0), 'test')
    timing = cache.timing_cache('tensorrt', '10.3', 'NVIDIA RTX/4090 (x)')
    timing.write_bytes(b'times')
    with cache.lock(KEY):
        pass
    stranger = cache.root / 'notes.txt'
    stranger.write_text('of the user')
    total = sum(path.stat().st_size for path in cache.root.iterdir() if path != stranger)
    assert cache.clean() == total
    assert list(cache.root.iterdir()) == [stranger]
    assert timing.parent == cache.root
