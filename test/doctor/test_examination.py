"""Tests of the checks together, and of how they are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from stseg_ros.doctor.examination import (
    Examined,
    as_json,
    describe,
    examine,
    has_failed,
    sum_up,
)
from stseg_ros.doctor.finding import Check, Finding, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A check with a fixed finding."""

    title: ClassVar[str] = 'nothing'
    limit_s: ClassVar[float] = 1.0

    name: str
    status: Status
    needs: tuple[str, ...] = ()

    def run(self) -> Finding:
        return Finding(status=self.status, summary=f'{self.name} it is', advice='do so')


def run(*checks: Check) -> list[Examined]:
    return list(examine(checks, lambda check: check.run()))


def test_an_error_stops_only_what_needs_it() -> None:
    found = run(
        Fixed(name='a', status=Status.ERROR),
        Fixed(name='b', status=Status.OK, needs=('a',)),
        Fixed(name='c', status=Status.WARNING),
        Fixed(name='d', status=Status.OK, needs=('c', 'not_asked_for')),
    )
    assert [(one.name, one.finding.status.value) for one in found] == [
        ('a', 'error'),
        ('b', 'skipped'),
        ('c', 'warning'),
        ('d', 'ok'),
    ]
    assert 'a is mended' in found[1].finding.summary
    assert sum_up(found) == '1 ok, 1 to look at, 1 failed, 1 skipped'
    assert has_failed(found)
    assert not has_failed(found[1:])


def test_marks_and_advice() -> None:
    finding = Finding(status=Status.WARNING, summary='low', advice='raise it')
    shown = describe(Examined(name='kernel', finding=finding, seconds=0.1), 10)
    assert shown.splitlines() == [
        'look  kernel      low',
        '                  -> raise it',
    ]
    finding = Finding(status=Status.ERROR, summary='gone')
    assert describe(Examined(name='a', finding=finding, seconds=0.1), 1) == 'fail  a  gone'


def test_json_holds_everything() -> None:
    found = run(Fixed(name='a', status=Status.OK), Fixed(name='b', status=Status.SKIPPED))
    content = json.loads(json.dumps(as_json(found, version='1.2.3')))
    assert content['schema'] == 1
    assert content['stseg_ros'] == '1.2.3'
    assert content['counts'] == {'ok': 1, 'warning': 0, 'error': 0, 'skipped': 1}
    first = content['checks'][0]
    assert first.pop('seconds') >= 0
    assert first == {
        'name': 'a',
        'status': 'ok',
        'summary': 'a it is',
        'advice': 'do so',
        'details': {},
    }
