"""Tests of the thread that owns the networks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from stseg_ros.errors import BundleError
from stseg_ros.ros_node.inference_worker import InferenceWorker
from stseg_ros.ros_node.mailbox import Mailbox
from stseg_ros.ros_node.many_cameras.turns import Turns


class Rig:
    """A worker, its mailbox, and what became of them."""

    def __init__(self) -> None:
        self.mailbox: Mailbox[int] = Mailbox()
        self.mailbox.open()
        self.crashes: list[BaseException] = []
        self.crashed = threading.Event()
        self.worker = InferenceWorker(self.mailbox, self.on_crash)

    def on_crash(self, error: BaseException) -> None:
        self.crashes.append(error)
        self.crashed.set()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.mailbox.close()
    rig.worker.join()
    rig.worker.close()


def test_everything_runs_in_one_other_thread(rig: Rig) -> None:
    threads = [rig.worker.call(threading.get_ident)]
    done = threading.Event()

    def process(_: int) -> None:
        threads.append(threading.get_ident())
        done.set()

    rig.worker.run(process)
    rig.mailbox.put(1)
    assert done.wait(10)
    rig.mailbox.close()
    rig.worker.join()
    threads.append(rig.worker.call(threading.get_ident))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_what_a_call_raises_reaches_the_caller(rig: Rig) -> None:
    def fail() -> None:
        raise BundleError('no such bundle')

    with pytest.raises(BundleError, match='no such bundle'):
        rig.worker.call(fail)
    assert rig.worker.call(lambda: 'still here') == 'still here'


def test_joining_waits_for_the_item_under_way(rig: Rig) -> None:
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()

    def process(_: int) -> None:
        entered.set()
        leave.wait(10)
        left.set()

    rig.worker.run(process)
    rig.mailbox.put(1)
    assert entered.wait(10)
    rig.mailbox.close()
    threading.Timer(0.05, leave.set).start()
    rig.worker.join()
    assert left.is_set()


def test_an_unforeseen_error_is_reported_and_the_thread_can_run_again(rig: Rig) -> None:
    def fail(item: int) -> None:
        raise ZeroDivisionError(item)

    rig.worker.run(fail)
    rig.mailbox.put(5)
    assert rig.crashed.wait(10)
    rig.worker.join()
    assert [type(error) for error in rig.crashes] == [ZeroDivisionError]

    processed = threading.Event()
    rig.worker.run(lambda _: processed.set())
    rig.mailbox.put(6)
    assert processed.wait(10)
    assert len(rig.crashes) == 1


def test_joining_waits_until_a_crash_has_been_told() -> None:
    mailbox: Mailbox[int] = Mailbox()
    telling, go_on = threading.Event(), threading.Event()
    told: list[BaseException] = []

    def on_crash(error: BaseException) -> None:
        telling.set()
        assert go_on.wait(10)
        told.append(error)

    def fail(item: int) -> None:
        raise ZeroDivisionError(item)

    worker = InferenceWorker(mailbox, on_crash)
    mailbox.open()
    worker.run(fail)
    mailbox.put(5)
    assert telling.wait(10)
    threading.Timer(0.05, go_on.set).start()
    worker.join()
    # Told later, it would stop the node that has been activated again meanwhile.
    assert [type(error) for error in told] == [ZeroDivisionError]
    worker.close()


def test_an_item_is_taken_when_its_turn_has_come(rig: Rig) -> None:
    turns = Turns(1)
    processed: list[int] = []
    done = threading.Event()

    def process(item: int) -> None:
        processed.append(item)
        done.set()

    with turns:
        rig.worker.run(process, turns)
        rig.mailbox.put(1)
        wait_for_waiting(turns)
        # Newer ones come while it waits for its turn.
        rig.mailbox.put(2)
        rig.mailbox.put(3)
        assert processed == []
    assert done.wait(10)
    assert processed == [3]
    assert rig.mailbox.dropped == 2
    rig.mailbox.close()
    rig.worker.join()
    enter_soon(turns)


def test_closing_the_source_ends_the_wait_for_a_turn(rig: Rig) -> None:
    turns = Turns(1)
    with turns:
        rig.worker.run(pytest.fail, turns)
        rig.mailbox.put(1)
        wait_for_waiting(turns)
        rig.mailbox.close()
    rig.worker.join()
    assert rig.crashes == []
    enter_soon(turns)


def test_an_error_in_a_turn_lets_the_others_in(rig: Rig) -> None:
    turns = Turns(1)

    def fail(item: int) -> None:
        raise ZeroDivisionError(item)

    rig.worker.run(fail, turns)
    rig.mailbox.put(5)
    assert rig.crashed.wait(10)
    enter_soon(turns)
    rig.worker.run(fail, turns)
    rig.crashed.clear()
    rig.mailbox.fail(BundleError('told by another'))
    assert rig.crashed.wait(10)
    assert [type(error) for error in rig.crashes] == [ZeroDivisionError, BundleError]


def test_a_fast_camera_cannot_starve_a_slow_one() -> None:
    turns = Turns(1)
    served: list[str] = []
    rigs = {name: Rig() for name in ('fast', 'slow')}
    enough = threading.Event()

    def serve(name: str) -> None:
        if name == 'fast':
            # Its next images are there before this one is done, many more than can be served.
            for number in range(5):
                rigs['fast'].mailbox.put(number)
        served.append(name)
        if len(served) < 40:
            rigs['slow'].mailbox.put(0)
        else:
            enough.set()
        if not enough.is_set():
            # An image takes longer than a thread takes to come back for the next one.
            wait_for_waiting(turns)

    for name, rig in rigs.items():
        rig.worker.run(lambda _, name=name: serve(name), turns)
    rigs['fast'].mailbox.put(0)
    assert enough.wait(30)
    for rig in rigs.values():
        rig.mailbox.close()
        rig.worker.join()
        rig.worker.close()
    assert served[:40] == 20 * ['fast', 'slow']


def enter_soon(turns: Turns) -> None:
    """Enter and leave; fails where no place becomes free."""
    entered = threading.Event()

    def enter() -> None:
        with turns:
            entered.set()

    threading.Thread(target=enter, daemon=True).start()
    assert entered.wait(10)


def wait_for_waiting(turns: Turns) -> None:
    deadline_s = time.monotonic() + 10
    while not turns.waiting:
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
