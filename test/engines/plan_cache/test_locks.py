"""One builder of a plan at a time, among threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from support.kept_plans import KEY

from stseg_ros.engines.plan_cache.cache import EngineCache

PATIENCE_S = 60.0


def test_another_thread_waits_for_the_lock(cache: EngineCache) -> None:
    waiting, entered = threading.Event(), threading.Event()

    def wait() -> None:
        with cache.lock(KEY, on_wait=waiting.set):
            entered.set()

    thread = threading.Thread(target=wait)
    with cache.lock(KEY):
        thread.start()
        assert waiting.wait(PATIENCE_S)
        # Another plan's lock is free.
        with cache.lock(replace(KEY, driver_cuda_major=0), on_wait=pytest.fail):
            pass
        assert not entered.is_set()
    assert entered.wait(PATIENCE_S)
    thread.join()


def test_waiting_can_be_stopped(cache: EngineCache) -> None:
    asked = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) == 2

    with cache.lock(KEY), cache.lock(KEY, stop=stop):
        assert len(asked) == 2


def test_the_lock_of_a_killed_process_is_free(cache: EngineCache) -> None:
    cache.root.mkdir()
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey\n'
        f'key = {KEY!r}\n'
        f'with EngineCache(Path({str(cache.root)!r})).lock(key):\n'
        "    print('held', flush=True)\n"
        '    sys.stdin.read()\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == 'held\n'
        told: list[bool] = []
        with cache.lock(KEY, on_wait=lambda: (told.append(True), process.kill())):
            assert told == [True]
