"""What a process uses besides time: memory, and energy where the machine counts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.errors import StsegError

_STATUS = Path('/proc/self/status')
_POWERCAP = Path('/sys/class/powercap')
_KIB_PER_MIB = 1024.0


class EnergyUnknownError(StsegError):
    """This machine does not tell its energy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Main memory that the process holds.

    Attributes:
        resident_mib: now, in MiB.
        peak_mib: the most since the process started.
    """

    resident_mib: float
    peak_mib: float


def read_memory(status: Path = _STATUS) -> Memory:
    """Ask Linux for the memory of this process.

    Args:
        status: the file that tells.

    Returns:
        The memory, of all libraries too; a GPU's own is not in it.
    """
    lines = status.read_text(encoding='utf-8').splitlines()
    kib = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(':') for line in lines)
        if name in ('VmRSS', 'VmHWM')
    }
    return Memory(
        resident_mib=round(kib['VmRSS'] / _KIB_PER_MIB, 1),
        peak_mib=round(kib['VmHWM'] / _KIB_PER_MIB, 1),
    )


class EnergyMeter:
    """Adds up the energy counters of a machine's processors (RAPL)."""

    def __init__(self, root: Path = _POWERCAP) -> None:
        """Find the counters.

        Args:
            root: where Linux shows them.

        Raises:
            EnergyUnknownError: there are none, or they cannot be read.
        """
        zones = [path for path in sorted(root.glob('intel-rapl:*')) if _is_package(path)]
        if not zones:
            raise EnergyUnknownError('this machine has no RAPL counters')
        self._counters = [zone / 'energy_uj' for zone in zones]
        try:
            self._ranges_uj = [_read(zone / 'max_energy_range_uj') for zone in zones]
            self.read_uj()
        except OSError as err:
            raise EnergyUnknownError(
                f'the RAPL counters cannot be read ({err.strerror}); '
                f'sudo chmod a+r {root}/intel-rapl:*/energy_uj'
            ) from err

    def read_uj(self) -> tuple[int, ...]:
        """Read the counter of each processor, in microjoules."""
        return tuple(_read(counter) for counter in self._counters)

    def spent_uj(self, before: Sequence[int], after: Sequence[int]) -> int:
        """Work out the energy between two readings.

        Args:
            before: what `read_uj` gave.
            after: what it gave later, before any counter ran over twice.

        Returns:
            The energy of all processors, with everything that ran on them, in microjoules.
        """
        return sum(
            late - early if late >= early else late - early + span
            for early, late, span in zip(before, after, self._ranges_uj, strict=True)
        )


def _is_package(zone: Path) -> bool:
    """Tell a whole processor from a part of one, such as its cores, which would count twice."""
    name = zone / 'name'
    return name.is_file() and name.read_text(encoding='utf-8').startswith('package')


def _read(path: Path) -> int:
    return int(path.read_text(encoding='utf-8'))
