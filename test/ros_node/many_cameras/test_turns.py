"""Tests of the order in which cameras are let in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from stseg_ros.ros_node.many_cameras.turns import Turns

PATIENCE_S = 10.0


class Camera:
    """A thread that takes turns as often as it is told, and notes each."""

    def __init__(self, name: str, turns: Turns, served: list[str], times: int) -> None:
        self.inside, self.leave = threading.Semaphore(0), threading.Semaphore(0)
        self._job = (name, turns, served, times)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        name, turns, served, times = self._job
        for _ in range(times):
            with turns:
                served.append(name)
                self.inside.release()
                self.leave.acquire()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f'waited in vain for {what}'
        time.sleep(0.001)


def wait_for_waiting(turns: Turns, count: int) -> None:
    wait_for(lambda: turns.waiting == count, f'{count} that wait')


def more_than(served: list[str], count: int) -> bool:
    return len(served) > count


def test_whoever_has_waited_longest_is_next_and_nobody_pushes_in() -> None:
    turns, served = Turns(1), []
    wanted = {'greedy': 4, 'b': 2, 'c': 2}
    cameras: dict[str, Camera] = {}
    for name, times in wanted.items():
        cameras[name] = Camera(name, turns, served, times)
        wait_for_waiting(turns, len(cameras) - 1)
    for count in range(1, sum(wanted.values()) + 1):
        # One is inside; the others wait, but for those that have had all their turns.
        inside = cameras[served[count - 1]]
        assert inside.inside.acquire(timeout=PATIENCE_S)
        done = {name for name, times in wanted.items() if served.count(name) == times}
        wait_for_waiting(turns, len(wanted.keys() - done - {served[count - 1]}))
        inside.leave.release()
        if count < sum(wanted.values()):
            wait_for(partial(more_than, served, count), f'turn {count + 1}')
    assert ''.join(name[0] for name in served) == 'gbcgbcgg'


def test_as_many_are_inside_as_may_be() -> None:
    turns, served = Turns(2), []
    first, second = (Camera(name, turns, served, times=1) for name in 'ab')
    assert first.inside.acquire(timeout=PATIENCE_S)
    assert second.inside.acquire(timeout=PATIENCE_S)
    third = Camera('c', turns, served, times=1)
    wait_for_waiting(turns, 1)
    assert not third.inside.acquire(blocking=False)
    second.leave.release()
    assert third.inside.acquire(timeout=PATIENCE_S)
    for camera in (first, third):
        camera.leave.release()
    for camera in (first, second, third):
        camera.thread.join(PATIENCE_S)
    assert turns.waiting == 0
    # All places are free again.
    with turns, turns:
        assert turns.waiting == 0


def test_an_error_gives_the_place_back() -> None:
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError), turns:
        raise ZeroDivisionError
    with turns:
        pass
