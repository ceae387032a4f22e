"""Limits of the kernel's network code, which large images from other machines run into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status

_PROC_SYS = Path('/proc/sys')

# Two raw images of 1920x1080 and some more. A socket holds what arrives while its process is busy.
_RECEIVE_BYTES = 12 << 20
# Datagrams of 64 KB travel in pieces. The pieces of a datagram of which one was lost stay until a
# timeout of 30 s, and when they fill this memory nothing arrives any more. As ROS 2 advises.
_FRAGMENT_BYTES = 128 << 20

_RMEM = 'net.core.rmem_max'
_FRAGMENTS = 'net.ipv4.ipfrag_high_thresh'
_WANTED = {_RMEM: _RECEIVE_BYTES, _FRAGMENTS: _FRAGMENT_BYTES}
_KEEP = 'keep it in /etc/sysctl.d/60-cameras.conf'


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCheck:
    """Reads the limits.

    Attributes:
        proc_sys: where the kernel shows them.
    """

    name: ClassVar[str] = 'kernel'
    title: ClassVar[str] = "the kernel's limits for large images from other machines"
    limit_s: ClassVar[float] = 10.0
    needs: ClassVar[tuple[str, ...]] = ()

    proc_sys: Path = _PROC_SYS

    def run(self) -> Finding:
        """Read the limits.

        Returns:
            A warning where one is low: between processes of one machine it does not matter.
        """
        found = {setting: self._read(setting) for setting in _WANTED}
        known = {setting: value for setting, value in found.items() if value is not None}
        details = dict(found)
        if not known:
            return Finding(
                status=Status.SKIPPED,
                summary=f'{" and ".join(_WANTED)} cannot be read here, as in some containers',
                advice='run this on the host, whose limits count',
                details=details,
            )
        low = [setting for setting, value in known.items() if value < _WANTED[setting]]
        words = ', '.join(f'{setting} {_megabytes(value)}' for setting, value in known.items())
        if not low:
            return Finding(status=Status.OK, summary=words, details=details)
        settings = ' '.join(f'{setting}={_WANTED[setting]}' for setting in low)
        return Finding(
            status=Status.WARNING,
            summary=f'{words}: raw images from another machine may get lost',
            advice=f'if a camera is on another machine: sudo sysctl -w {settings} ({_KEEP})',
            details=details,
        )

    def _read(self, setting: str) -> int | None:
        """Read a number; None where the kernel does not show it."""
        try:
            return int((self.proc_sys / setting.replace('.', '/')).read_text(encoding='ascii'))
        except (OSError, ValueError):
            return None


def _megabytes(count: int) -> str:
    return f'{count / 1e6:.1f} MB'
