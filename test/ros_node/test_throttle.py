"""Tests of how repeated messages are held back."""

from __future__ import annotations

from stseg_ros.ros_node.throttle import Throttle


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_equal_messages_pass_once_per_period() -> None:
    clock = FakeClock()
    throttle = Throttle(clock)
    assert throttle.admit('bad', 5.0) == 0
    clock.now_s = 104.9
    assert throttle.admit('bad', 5.0) is None
    assert throttle.admit('bad', 5.0) is None
    clock.now_s = 105.0
    assert throttle.admit('bad', 5.0) == 2
    clock.now_s = 110.0
    assert throttle.admit('bad', 5.0) == 0


def test_different_messages_do_not_hold_back_each_other() -> None:
    throttle = Throttle(FakeClock())
    assert throttle.admit('truncated', 5.0) == 0
    assert throttle.admit('unknown encoding', 5.0) == 0
    assert throttle.admit('truncated', 5.0) is None


def test_period_zero_lets_all_pass() -> None:
    throttle = Throttle(FakeClock())
    assert [throttle.admit('bad', 0.0) for _ in range(3)] == [0, 0, 0]


def test_old_messages_are_forgotten() -> None:
    clock = FakeClock()
    throttle = Throttle(clock)
    for number in range(1000):
        clock.now_s += 1.0
        throttle.admit(f'image of {number} rows', 5.0)
    assert len(throttle._seen) < 10
