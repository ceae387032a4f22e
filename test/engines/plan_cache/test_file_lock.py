"""The lock on file systems that have none; what it does elsewhere is tested with the cache."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from stseg_ros.engines.plan_cache.file_lock import hold_lock


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_without_locks_nothing_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    asked = []

    def flock(handle: int, operation: int) -> None:
        asked.append(operation)
        raise OSError(number, 'no locks here')

    monkeypatch.setattr(fcntl, 'flock', flock)
    entered = False
    with hold_lock(tmp_path / 'a.lock', on_wait=pytest.fail):
        entered = True
    assert entered
    assert asked == [fcntl.LOCK_EX | fcntl.LOCK_NB]


def test_a_lock_that_vanishes_while_waiting_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [BlockingIOError(errno.EAGAIN, 'taken'), OSError(errno.ENOLCK, 'server restarted')]
    waited = []

    def flock(handle: int, operation: int) -> None:
        raise answers.pop(0)

    monkeypatch.setattr(fcntl, 'flock', flock)
    with hold_lock(tmp_path / 'a.lock', on_wait=lambda: waited.append(True)):
        assert waited == [True]
    assert answers == []
