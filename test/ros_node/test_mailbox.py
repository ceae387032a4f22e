"""Tests of the one-slot mailbox."""

from __future__ import annotations

import threading

import pytest

from stseg_ros.ros_node.mailbox import Mailbox


@pytest.fixture
def mailbox() -> Mailbox[int]:
    box: Mailbox[int] = Mailbox()
    box.open()
    return box


def test_the_newest_item_is_kept_and_the_others_counted(mailbox: Mailbox[int]) -> None:
    for item in (1, 2, 3):
        mailbox.put(item)
    assert mailbox.take() == 3
    assert mailbox.dropped == 2
    mailbox.put(4)
    assert mailbox.take() == 4
    assert mailbox.dropped == 2


def test_a_waiting_thread_gets_the_item(mailbox: Mailbox[int]) -> None:
    taken: list[int | None] = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()
    mailbox.put(7)
    thread.join(10)
    assert taken == [7]


def test_closing_releases_a_waiting_thread(mailbox: Mailbox[int]) -> None:
    taken: list[int | None] = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()
    mailbox.close()
    thread.join(10)
    assert taken == [None]


def test_a_closed_mailbox_drops(mailbox: Mailbox[int]) -> None:
    mailbox.put(1)
    mailbox.close()
    mailbox.put(2)
    assert mailbox.take() is None
    assert mailbox.dropped == 2
    mailbox.open()
    mailbox.put(3)
    assert mailbox.take() == 3


def test_nothing_is_lost_between_threads(mailbox: Mailbox[int]) -> None:
    taken = []
    last_came = threading.Event()

    def consume() -> None:
        while (item := mailbox.take()) is not None:
            taken.append(item)
            if item == 2000:
                last_came.set()

    thread = threading.Thread(target=consume)
    thread.start()
    for item in range(1, 2001):
        mailbox.put(item)
    assert last_came.wait(10)
    mailbox.close()
    thread.join(10)
    assert taken == sorted(taken)
    assert len(taken) + mailbox.dropped == 2000


def test_waiting_leaves_the_item_where_a_newer_one_may_replace_it(mailbox: Mailbox[int]) -> None:
    mailbox.put(1)
    assert mailbox.wait()
    mailbox.put(2)
    assert mailbox.wait()
    assert mailbox.take() == 2
    assert mailbox.dropped == 1
    mailbox.close()
    assert not mailbox.wait()


def test_a_failure_is_raised_until_the_mailbox_is_opened_again(mailbox: Mailbox[int]) -> None:
    mailbox.put(1)
    mailbox.fail(ZeroDivisionError('told'))
    mailbox.put(2)
    for attempt in (mailbox.wait, mailbox.take):
        with pytest.raises(ZeroDivisionError, match='told'):
            attempt()
    assert mailbox.dropped == 2
    mailbox.open()
    mailbox.put(3)
    assert mailbox.take() == 3


def test_a_failure_wakes_whoever_waits(mailbox: Mailbox[int]) -> None:
    raised = threading.Event()

    def take() -> None:
        with pytest.raises(ZeroDivisionError):
            mailbox.take()
        raised.set()

    thread = threading.Thread(target=take)
    thread.start()
    mailbox.fail(ZeroDivisionError())
    thread.join(10)
    assert raised.is_set()


def test_a_closed_mailbox_does_not_fail(mailbox: Mailbox[int]) -> None:
    mailbox.close()
    mailbox.fail(ZeroDivisionError())
    assert mailbox.take() is None
