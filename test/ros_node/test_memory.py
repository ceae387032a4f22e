"""Tests of how a process keeps its memory, each in a process of its own."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import pytest

from stseg_ros.ros_node import memory

# Takes and frees blocks as large as images, which change their size; prints faults per block.
TAKE_AND_FREE = """
import ctypes, resource, sys
from stseg_ros.ros_node.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == 'keep' else None
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def take(size):
    block = libc.malloc(ctypes.c_size_t(size))
    ctypes.memset(block, 1, size)
    return block

def turn():
    # By itself glibc keeps twice the largest block that it has seen freed.
    for size in (2_764_800, 5_529_600, 921_600):
        for block in [take(size) for _ in range(5)]:
            libc.free(block)

for _ in range(3):
    turn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    turn()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(kept, faults // 150)
"""


def faults_per_block(keep: str, **environment: str) -> tuple[str, int]:
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith('MALLOC_') and name != 'GLIBC_TUNABLES'
    }
    shown = subprocess.run(
        [sys.executable, '-c', TAKE_AND_FREE, keep],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    kept, faults = shown.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(
    memory._of_glibc('gnu_get_libc_version') is None, reason='only glibc can be told'
)
def test_blocks_as_large_as_images_are_kept() -> None:
    _, without = faults_per_block('no')
    kept, faults = faults_per_block('keep')
    assert kept == 'True'
    assert faults <= 2 < without


@pytest.mark.parametrize('name', ['MALLOC_ARENA_MAX', 'MALLOC_TRIM_THRESHOLD_', 'GLIBC_TUNABLES'])
def test_what_the_user_has_set_is_left_as_it_is(name: str) -> None:
    assert memory.keep_freed_memory({'PATH': '/bin', name: '1'}) is False


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, '_of_glibc', lambda _: None)
    assert memory.keep_freed_memory({}) is False
    memory.settle()
    memory.unsettle()


class Ring:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_what_lives_on_is_looked_through_again_in_the_end() -> None:
    before, ring = Ring(), Ring()
    gone, kept = weakref.ref(before), weakref.ref(ring)
    del before
    memory.settle()
    try:
        assert gone() is None
        assert gc.get_freeze_count() > 0
        del ring
        gc.collect()
        assert kept() is not None
    finally:
        memory.unsettle()
    gc.collect()
    assert kept() is None


def test_one_node_that_stops_leaves_the_others_settled() -> None:
    memory.settle()
    try:
        earlier = Ring()
        gone = weakref.ref(earlier)
        memory.settle()
        del earlier
        memory.unsettle()
        assert gc.get_freeze_count() > 0
        # The next node to start has what is not needed any more collected.
        memory.settle()
        assert gone() is None
        memory.unsettle()
    finally:
        memory.unsettle()
    assert gc.get_freeze_count() == 0
