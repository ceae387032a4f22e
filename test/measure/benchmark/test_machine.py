"""What is told of the machine."""

from __future__ import annotations

import json
import os

import pytest

from stseg_ros.measure.benchmark.machine import describe_machine


def test_the_facts_are_plain_and_complete() -> None:
    facts = json.loads(json.dumps(describe_machine()))
    assert facts['usable_cores'] == len(os.sched_getaffinity(0)) <= facts['cores']
    assert facts['memory_gib'] > 0.1
    assert facts['processor']
    assert 'Linux' in facts['system']


@pytest.mark.parametrize(('load', 'busy'), [(0.4, False), (0.6, True)])
def test_a_load_above_a_quarter_of_the_cores_is_too_much(
    load: float, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1})
    monkeypatch.setattr(os, 'getloadavg', lambda: (load, 9.0, 9.0))
    assert describe_machine()['busy'] is busy
