"""Whether the system clock, which stamps the images, is synchronised."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status

_TIMEOUT_S = 5.0
# The kernel's own bound: nobody has disciplined the clock for long, or ever.
_UNSYNCHRONISED_US = 16_000_000
_FIELDS_OF_TRACKING = 14

_MEND = (
    'stamps of several computers or of network cameras will not fit: sudo apt install chrony, '
    'or PTP (linuxptp) for cameras that speak it; in a container, do it on the host'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelClock:
    """What the kernel knows of its clock.

    Attributes:
        synchronised: whether some service disciplines it.
        most_off_us: bound of its error in microseconds.
    """

    synchronised: bool
    most_off_us: int


class _Timex(ctypes.Structure):
    """The beginning of Linux's struct timex, and room for the rest of it."""

    _fields_ = (
        ('modes', ctypes.c_uint),
        ('offset', ctypes.c_long),
        ('freq', ctypes.c_long),
        ('maxerror', ctypes.c_long),
        ('esterror', ctypes.c_long),
        ('status', ctypes.c_int),
        ('rest', ctypes.c_char * 256),
    )


def read_kernel_clock() -> KernelClock:
    """Ask the kernel, as `timedatectl` does; to read needs no rights.

    Returns:
        What it knows.

    Raises:
        OSError: this system or container does not tell.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, 'adjtimex'):
        raise OSError('this system has no adjtimex')
    timex = _Timex(modes=0)
    if library.adjtimex(ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return KernelClock(
        synchronised=timex.maxerror < _UNSYNCHRONISED_US, most_off_us=timex.maxerror
    )


def ask_chrony() -> str:
    """Ask chrony, which need not tell the kernel that it keeps the clock.

    Returns:
        The last line of its tracking report as CSV; empty where it does not run or is not there.
    """
    program = shutil.which('chronyc')
    if program is None:
        return ''
    try:
        shown = subprocess.run(
            [program, '-n', '-c', 'tracking'],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ''
    lines = shown.stdout.strip().splitlines()
    return lines[-1] if lines and shown.returncode == 0 else ''


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCheck:
    """Asks who keeps the clock.

    Attributes:
        read_kernel: returns what the kernel knows, or raises OSError.
        read_chrony: returns chrony's report, or nothing.
    """

    name: ClassVar[str] = 'clock'
    title: ClassVar[str] = 'whether the system clock is synchronised, for the stamps of images'
    limit_s: ClassVar[float] = 20.0
    needs: ClassVar[tuple[str, ...]] = ()

    read_kernel: Callable[[], KernelClock] = read_kernel_clock
    read_chrony: Callable[[], str] = ask_chrony

    def run(self) -> Finding:
        """Ask the kernel, then chrony.

        Returns:
            A warning where neither says that the clock is kept: one computer alone can do without.
        """
        chrony = _chrony_offset_s(self.read_chrony())
        if chrony is not None:
            return Finding(
                status=Status.OK,
                summary=f'chrony keeps the clock, now {abs(chrony) * 1e3:.3f} ms off',
                details={'source': 'chrony', 'offset_s': chrony},
            )
        try:
            clock = self.read_kernel()
        except OSError as err:
            reason = err.strerror or err
            return Finding(
                status=Status.SKIPPED,
                summary=f'the kernel does not tell whether the clock is kept ({reason})',
                advice='run `timedatectl` on the host: "System clock synchronized" should be yes',
            )
        details = {'source': 'kernel', 'most_off_us': clock.most_off_us}
        if clock.synchronised:
            return Finding(
                status=Status.OK,
                summary=f'the clock is synchronised, at most {clock.most_off_us / 1e3:.0f} ms off',
                details=details,
            )
        return Finding(
            status=Status.WARNING,
            summary='the system clock is not synchronised with any other',
            advice=_MEND,
            details=details,
        )


def _chrony_offset_s(tracking: str) -> float | None:
    """Read how far off chrony finds the clock; None where chrony does not keep it."""
    fields = tracking.split(',')
    if len(fields) < _FIELDS_OF_TRACKING or fields[-1] == 'Not synchronised':
        return None
    try:
        return float(fields[4])
    except ValueError:
        return None
