"""Tests of what the kernel says of processes."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from stseg_ros.soak.process_usage import members_of_session, read_usage

STATUS = 'Name:\ta b\nVmRSS:\t  100000 kB\nRssAnon:\t   50000 kB\nThreads:\t7\n'


def test_what_this_process_holds() -> None:
    before = read_usage(os.getpid())
    assert before is not None
    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (ready.set(), done.wait()))
    thread.start()
    ready.wait()
    # Not from the allocator, which may have kept as much from what ran before.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    held = np.frombuffer(mmap.mmap(-1, 50_000_000, flags=flags), np.uint8)
    held[:] = 1
    with Path(__file__).open():
        after = read_usage(os.getpid())
    done.set()
    thread.join()
    assert after is not None
    assert held[-1] == 1
    assert after.threads == before.threads + 1
    assert after.descriptors == before.descriptors + 1
    assert after.resident_mb - before.resident_mb == pytest.approx(50.0, abs=5.0)
    assert after.anonymous_mb - before.anonymous_mb == pytest.approx(50.0, abs=5.0)
    assert after.cpu_s >= before.cpu_s > 0.0


def test_the_kernels_files(tmp_path: Path) -> None:
    folder = tmp_path / '42'
    (folder / 'fd').mkdir(parents=True)
    for name in '012':
        (folder / 'fd' / name).touch()
    (folder / 'status').write_text(STATUS)
    ticks = os.sysconf('SC_CLK_TCK')
    # The name of the program is (a) b), its session 40.
    # Terminal, its group, flags; then the faults: 9 small, 1 of children, 2 large, 3 of children.
    middle = '0 0 0 9 1 2 3'
    (folder / 'stat').write_text(f'42 ((a) b)) S 1 41 40 {middle} {3 * ticks} {2 * ticks} 0 0\n')
    usage = read_usage(42, tmp_path)
    assert usage is not None
    # The kernel's kB are of 1024 bytes.
    assert (usage.resident_mb, usage.anonymous_mb) == (102.4, 51.2)
    assert (usage.descriptors, usage.threads, usage.cpu_s) == (3, 7, 5.0)
    assert usage.faults == 9
    assert members_of_session(40, tmp_path) == [42]
    assert members_of_session(41, tmp_path) == []
    assert read_usage(43, tmp_path) is None


def test_a_session_has_what_its_leader_started() -> None:
    code = 'import subprocess, sys; subprocess.run([sys.executable, "-c", "input()"])'
    leader = subprocess.Popen(
        [sys.executable, '-c', f'print(1, flush=True); {code}'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert leader.stdin is not None
    assert leader.stdout is not None
    with leader:
        leader.stdout.readline()
        while len(members := members_of_session(leader.pid)) < 2:
            assert leader.poll() is None
        assert leader.pid in members
        leader.stdin.write(b'\n')
    assert members_of_session(leader.pid) == []
    assert read_usage(leader.pid) is None
