"""Files that are not the plans that they should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from support.kept_plans import KEY, only_file, other

from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey


def test_every_field_makes_another_plan() -> None:
    digests = {other(KEY, field.name).digest() for field in fields(PlanKey)}
    assert len(digests) == len(fields(PlanKey))
    assert KEY.digest() not in digests
    assert replace(KEY).digest() == KEY.digest()


def cut_short(content: bytes) -> bytes:
    return content[: len(content) - 100]


def cut_in_the_header(content: bytes) -> bytes:
    return content[:60]


def changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def plan_alone(content: bytes) -> bytes:
    return content.split(b'\n', 2)[2]


def header_of_another(content: bytes) -> bytes:
    return content.replace(b'"precision": "fp16"', b'"precision": "fp32"')


def field_more(content: bytes) -> bytes:
    return content.replace(b'"precision":', b'"new": 1, "precision":')


def no_json_object(content: bytes) -> bytes:
    first, _, plan = content.split(b'\n', 2)
    return b'\n'.join([first, b'[1, 2]', plan])


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (cut_short, 'bytes of plan'),
        (cut_in_the_header, 'header that is cut short'),
        (changed, 'was altered'),
        (plan_alone, 'is not a plan file'),
        (lambda _: b'', 'is not a plan file'),
        (header_of_another, 'another network or machine'),
        (field_more, 'header that is cut short or altered'),
        (no_json_object, 'header that is cut short or altered'),
    ],
    ids=['truncated', 'torn', 'bit', 'foreign', 'empty', 'stale', 'newer', 'no header'],
)
def test_a_bad_plan_is_set_aside(
    cache: EngineCache,
    warnings: list[str],
    real: tuple[PlanKey, bytes],
    spoil: Callable[[bytes], bytes],
    reason: str,
) -> None:
    key, plan = real
    path = cache.put(key, plan)
    assert path is not None
    spoilt = spoil(path.read_bytes())
    assert spoilt != path.read_bytes()
    path.write_bytes(spoilt)
    assert cache.get(key) is None
    (warning,) = warnings
    assert reason in warning
    assert 'built again' in warning
    assert '\n' not in warning
    assert only_file(cache, '.bad').read_bytes() == spoilt
    assert not path.exists()
    assert cache.get(key) is None
    assert len(warnings) == 1
    cache.put(key, plan)
    assert cache.get(key) == plan
