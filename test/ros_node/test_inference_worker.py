"""Tests of the thread that owns the networks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from stseg_ros.errors import BundleError
from stseg_ros.ros_node.inference_worker import InferenceWorker
from stseg_ros.ros_node.mailbox import Mailbox


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
