"""Tests of the plan of a soak."""

from __future__ import annotations

import pytest

from stseg_ros.soak.schedule import MAIN_HW, NEW_PROCESS, NEW_PUBLISHER, make_schedule, warm_up

TRANSPORTS = ['raw', 'compressed']


def plan(**changes: object) -> tuple:
    options = {'seconds': 1800.0, 'rate_hz': 40.0, 'transport': 'raw', 'seed': 3}
    return make_schedule(**{**options, **changes})


@pytest.mark.parametrize('transport', TRANSPORTS)
@pytest.mark.parametrize('seconds', [10.0, 20.0, 60.0, 90.0, 1800.0])
def test_the_steps_fill_the_time(transport: str, seconds: float) -> None:
    steps = plan(transport=transport, seconds=seconds)
    assert sum(step.seconds for step in steps) == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize('transport', TRANSPORTS)
@pytest.mark.parametrize('seconds', [10.0, 1800.0])
def test_the_first_minute_or_all_of_less_has_everything(transport: str, seconds: float) -> None:
    steps = plan(transport=transport, seconds=seconds)
    cycle = steps[: round(min(seconds, 60.0) / steps[0].seconds)]
    befores = [step.before for step in cycle]
    assert befores.count(NEW_PUBLISHER) == 2
    assert befores.count(NEW_PROCESS) == 1
    assert len({step.size_hw for step in cycle}) == 4
    assert len({step.encoding for step in cycle}) >= 2
    assert {step.rate_hz for step in cycle} == {10.0, 20.0, 40.0, 60.0}
    usual = [step for step in cycle if step.rate_hz == 40.0 and step.size_hw == MAIN_HW]
    assert len(usual) >= len(cycle) / 3
    assert all(step.bad_share == 0.1 for step in cycle)


def test_the_seed_decides() -> None:
    assert plan() == plan()
    assert plan() != plan(seed=4)
    first, second = plan()[:12], plan()[12:24]
    assert first != second
    kinds = [
        sorted((it.size_hw, it.encoding, it.rate_hz) for it in part) for part in (first, second)
    ]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize('transport', TRANSPORTS)
def test_the_warm_up_has_each_kind_once_and_the_largest_first(transport: str) -> None:
    steps = warm_up(transport=transport, seconds=0.5, rate_hz=10.0)
    kinds = [(step.size_hw, step.encoding) for step in steps]
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) == {(it.size_hw, it.encoding) for it in plan(transport=transport)}
    pixels = [step.size_hw[0] * step.size_hw[1] for step in steps]
    assert pixels == sorted(pixels, reverse=True)
    assert not any(step.bad_share for step in steps)
