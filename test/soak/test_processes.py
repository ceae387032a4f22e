"""Tests of how a soak ends its node, and of what it finds left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stseg_ros.soak import processes
from stseg_ros.soak.processes import NodeProcess

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

PATIENCE_S = 20.0
SEGMENT = 'fastdds_0123456789abcdef'
# Holds shared memory as Fast DDS does; what it is sent on its way out is its own affair.
PRETENDER = f"""
import pathlib, signal, sys
here = pathlib.Path(sys.argv[1])
(here / '{SEGMENT}').write_text('memory')
lock = (here / '{SEGMENT}_el').open('w')
if 'deaf' in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
print('ready', flush=True)
try:
    signal.pause()
except KeyboardInterrupt:
    (here / '{SEGMENT}').unlink()
    (here / '{SEGMENT}_el').unlink()
"""


class Pretended:
    """A process in the node's place."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder / 'node.log'
        self.node = NodeProcess(
            [str(folder), *arguments], {**os.environ, 'PYTHONPATH': str(folder)}, self.log
        )

    @property
    def pid(self) -> int:
        return self.node._process.pid

    def wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while 'ready' not in self.log.read_text():
            self.node.check_alive()
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / 'pretender.py').write_text(PRETENDER)
    monkeypatch.setattr(processes, 'NODE_MODULE', 'pretender')
    monkeypatch.setattr(processes, '_SHARED_MEMORY', tmp_path)
    return tmp_path


@pytest.fixture
def started() -> Iterator[list[Pretended]]:
    """Kill what a test that failed has left."""
    made: list[Pretended] = []
    yield made
    for it in made:
        it.node._process.kill()
        it.node._process.wait()


def test_a_node_that_ends_as_it_should_leaves_nothing(
    folder: Path, started: list[Pretended]
) -> None:
    pretended = Pretended(folder)
    started.append(pretended)
    pretended.wait_until_ready()
    end = pretended.node.end()
    assert (end.status, end.killed, end.processes_left, end.files_left) == (0, False, 0, ())
    assert end.seconds is not None


def test_what_a_node_leaves_that_was_killed_by_others_is_found(
    folder: Path, started: list[Pretended]
) -> None:
    pretended = Pretended(folder)
    started.append(pretended)
    pretended.wait_until_ready()
    assert pretended.node.usage() is not None
    os.kill(pretended.pid, signal.SIGKILL)
    pretended.node._process.wait(PATIENCE_S)
    assert pretended.node.usage() is None
    end = pretended.node.end()
    assert (end.status, end.seconds) == (-signal.SIGKILL, None)
    assert end.files_left == (SEGMENT, f'{SEGMENT}_el')


def test_a_node_that_does_not_end_is_killed(
    folder: Path, started: list[Pretended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, '_END_S', 0.2)
    pretended = Pretended(folder, 'deaf')
    started.append(pretended)
    pretended.wait_until_ready()
    end = pretended.node.end()
    assert (end.status, end.killed) == (-signal.SIGKILL, True)
    assert end.files_left == (SEGMENT, f'{SEGMENT}_el')


def test_whoever_has_no_patience_leaves_nothing_running(
    folder: Path, started: list[Pretended], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = Pretended(folder, 'deaf')
    started.append(pretended)
    pretended.wait_until_ready()
    process = pretended.node._process

    def interrupted(_: float) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(process, 'wait', interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretended.node.end()
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
