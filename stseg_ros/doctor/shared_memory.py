"""The shared memory through which images pass between the processes of one machine."""

from __future__ import annotations

import os
import shutil
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.locations import data_file

_SHARED_MEMORY = Path('/dev/shm')  # noqa: S108 - Fast DDS keeps it there
_PROFILE = 'config/fastdds.xml'
# A camera driver, the node, and one more that listens.
_PROCESSES = 3
_ROOM = 'in Docker, give the container --shm-size=256m, or --ipc=host to share with the host'


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedMemoryCheck:
    """Looks at the room there is.

    Attributes:
        folder: where Fast DDS keeps its segments.
    """

    name: ClassVar[str] = 'shared_memory'
    title: ClassVar[str] = 'room in /dev/shm for images between processes'
    limit_s: ClassVar[float] = 10.0
    needs: ClassVar[tuple[str, ...]] = ()

    folder: Path = _SHARED_MEMORY

    def run(self) -> Finding:
        """Compare the room with what the Fast DDS profile takes.

        Returns:
            An error where not even one process has room.
        """
        if not self.folder.is_dir() or not os.access(self.folder, os.W_OK | os.X_OK):
            return Finding(
                status=Status.ERROR,
                summary=f'{self.folder} is missing or cannot be written',
                advice=f'mount it: sudo mount -t tmpfs -o size=256m tmpfs {self.folder}; {_ROOM}',
            )
        usage = shutil.disk_usage(self.folder)
        segment = _segment_bytes()
        held = self._held_bytes()
        details = {
            'total_bytes': usage.total,
            'free_bytes': usage.free,
            'fast_dds_bytes': held,
            'segment_bytes': segment,
        }
        words = f'{_megabytes(usage.free)} of {_megabytes(usage.total)} free in {self.folder}'
        if usage.free >= _PROCESSES * segment:
            return Finding(status=Status.OK, summary=words, details=details)
        advice = _ROOM
        if held > segment:
            advice = f'Fast DDS holds {_megabytes(held)}: `fastdds shm clean` frees what is dead'
            advice += f'; {_ROOM}'
        return Finding(
            status=Status.WARNING if usage.free >= segment else Status.ERROR,
            summary=f'{words}; each process that exchanges images takes {_megabytes(segment)}',
            advice=advice,
            details=details,
        )

    def _held_bytes(self) -> int:
        """Sum what Fast DDS has there, of processes alive and dead."""
        total = 0
        for path in self.folder.glob('fast*_*'):
            # Its process may have ended just now.
            with suppress(FileNotFoundError):
                total += path.stat().st_size
        return total


def _segment_bytes() -> int:
    """Read from the profile how much each process takes."""
    profile = data_file(_PROFILE)
    assert profile is not None, f'{_PROFILE} is part of every installation'
    root = ElementTree.parse(profile).getroot()  # noqa: S314 - our own file
    sizes = [int(entry.text or 0) for entry in root.iter('{http://www.eprosima.com}segment_size')]
    return max(sizes)


def _megabytes(count: int) -> str:
    return f'{count / 1e6:.0f} MB'
