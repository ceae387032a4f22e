"""Tests of the clock's keepers, real and made up."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

import pytest

from stseg_ros.doctor.clock import ClockCheck, KernelClock, ask_chrony, read_kernel_clock
from stseg_ros.doctor.finding import Finding, Status

TRACKING = (
    'C0A80101,192.168.1.1,3,1700000000.123456789,-0.000250000,0.000010000,0.000020000,'
    '-5.100,0.010,0.050,0.002000000,0.001000000,64.5'
)


def check(kernel: KernelClock | OSError, chrony: str = '') -> Finding:
    def read_kernel() -> KernelClock:
        if isinstance(kernel, OSError):
            raise kernel
        return kernel

    return ClockCheck(read_kernel=read_kernel, read_chrony=lambda: chrony).run()


UNKEPT = KernelClock(synchronised=False, most_off_us=16_000_000)


def test_a_clock_that_is_kept() -> None:
    found = check(KernelClock(synchronised=True, most_off_us=12_345))
    assert found.status is Status.OK
    assert 'at most 12 ms' in found.summary


def test_a_clock_that_nobody_keeps() -> None:
    found = check(UNKEPT)
    assert found.status is Status.WARNING
    assert 'chrony' in found.advice


def test_chrony_keeps_it_without_telling_the_kernel() -> None:
    found = check(UNKEPT, f'{TRACKING},Normal')
    assert found.status is Status.OK
    assert '0.250 ms' in found.summary


@pytest.mark.parametrize(
    'tracking', [f'{TRACKING},Not synchronised', '506 Cannot talk to daemon', 'a,' * 13 + 'Normal']
)
def test_chrony_that_does_not_keep_it(tracking: str) -> None:
    assert check(UNKEPT, tracking).status is Status.WARNING


def test_a_kernel_that_does_not_tell() -> None:
    found = check(PermissionError(1, 'Operation not permitted'))
    assert found.status is Status.SKIPPED
    assert 'Operation not permitted' in found.summary


def test_the_kernel_is_read_rightly() -> None:
    try:
        clock = read_kernel_clock()
    except OSError as err:
        pytest.skip(f'this machine does not tell: {err}')
    buffer = ctypes.create_string_buffer(512)
    assert ctypes.CDLL(None).adjtimex(buffer) >= 0
    # modes, offset, freq, maxerror, esterror, status; the kernel sets 0x40 where nobody keeps it.
    _, _, _, most_off_us, _, status = struct.unpack_from('@Illlli', buffer)
    assert 0 <= clock.most_off_us <= most_off_us
    assert clock.synchronised or status & 0x40


def chronyc(folder: Path, body: str) -> Path:
    program = folder / 'chronyc'
    program.write_text(f'#!/bin/sh\n{body}\n')
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ('body', 'expected'),
    [
        (f'test "$*" = "-n -c tracking" && echo "{TRACKING},Normal"', f'{TRACKING},Normal'),
        ('echo "506 Cannot talk to daemon"; exit 1', ''),
        ('exit 0', ''),
    ],
)
def test_chrony_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, expected: str
) -> None:
    monkeypatch.setenv('PATH', str(chronyc(tmp_path, body)))
    assert ask_chrony() == expected


def test_no_chrony(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    assert ask_chrony() == ''
