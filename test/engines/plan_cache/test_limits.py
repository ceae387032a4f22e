"""What goes when there is too much, and what stays because it is not ours."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from support.kept_plans import KEY, other, used_at

from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    # Two plans of 1000 bytes fit, with their headers of some 500 bytes; three do not.
    cache = EngineCache(tmp_path, limit_bytes=4000)
    keys = [replace(KEY, driver_cuda_major=number) for number in range(4)]
    plan = b'p' * 1000
    cache.put(keys[0], plan)
    used_at(cache, keys[0], 100)
    cache.put(keys[1], plan)
    used_at(cache, keys[1], 200)
    # Used again, so that the second is the older now.
    assert cache.get(keys[0]) == plan
    cache.put(keys[2], plan)
    assert [cache.get(key) is not None for key in keys] == [True, False, True, False]


def test_real_plans_make_room_for_each_other(tmp_path: Path, real: tuple[PlanKey, bytes]) -> None:
    key, plan = real
    cache = EngineCache(tmp_path, limit_bytes=len(plan) * 3 // 2)
    cache.put(key, plan)
    used_at(cache, key, 100)
    cache.put(other(key, 'precision'), plan)
    assert cache.get(key) is None
    assert cache.get(other(key, 'precision')) == plan


def test_plans_that_were_set_aside_go_before_those_of_use(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path, limit_bytes=4000, warn=lambda _: None)
    keys = [replace(KEY, driver_cuda_major=number) for number in range(3)]
    cache.put(keys[0], b'p' * 1000)
    used_at(cache, keys[0], 100)
    cache.put(keys[1], b'p' * 1000)
    cache.set_aside(keys[1], 'does not load')
    cache.put(keys[2], b'p' * 1000)
    assert not list(tmp_path.glob('*.bad'))
    assert [cache.get(key) is not None for key in keys] == [True, False, True]


def test_a_plan_beyond_the_limit_is_not_kept(tmp_path: Path, warnings: list[str]) -> None:
    cache = EngineCache(tmp_path, limit_bytes=4000, warn=warnings.append)
    small = replace(KEY, driver_cuda_major=0)
    cache.put(small, b'p' * 10)
    assert cache.put(KEY, b'p' * 4001) is None
    assert 'limited to 4000' in warnings[0]
    assert cache.get(small) is not None


def test_leftovers_of_a_killed_writer_go(cache: EngineCache) -> None:
    cache.put(KEY, b'plan')
    digest = 'ab' * 32
    left = [
        cache.root / name for name in (f'{digest}.12.140.part', 'tensorrt-10.3.0-Orin.34.part')
    ]
    being_written, foreign = cache.root / f'{digest}.56.78.part', cache.root / 'film.part'
    for path in (*left, being_written, foreign):
        path.write_bytes(b'half a plan')
    for path in (*left, foreign):
        os.utime(path, (0, 0))
    cache.put(KEY, b'plan')
    assert not any(path.exists() for path in left)
    assert being_written.exists()
    assert foreign.exists()


# What a user may have in a folder that --output names.
FOREIGN = (
    'poetry.lock',
    'film.part',
    'film.12.part',
    'my.plan',
    'race.timing',
    'tensorrt.timing',
    'worse.bad',
    f'{"ab" * 32}.txt',
    f'{"ab" * 31}.plan',
    f'{"AB" * 32}.plan',
    f'x{"ab" * 32}.plan',
    f'{"ab" * 32}.plan.part',
)


def test_what_is_foreign_stays(tmp_path: Path) -> None:
    for name in FOREIGN:
        (tmp_path / name).write_bytes(b'f' * 5000)
        os.utime(tmp_path / name, (0, 0))
    cache = EngineCache(tmp_path, limit_bytes=4000)
    kept = cache.put(KEY, b'plan')
    assert kept is not None
    assert [entry.path for entry in cache.entries()] == [kept]
    with cache.lock(KEY):
        pass
    size_bytes = kept.stat().st_size
    assert cache.clean() == size_bytes
    assert {path.name for path in tmp_path.iterdir()} == set(FOREIGN)
    assert all((tmp_path / name).stat().st_size == 5000 for name in FOREIGN)
