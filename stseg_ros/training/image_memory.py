"""Arrays held in memory as far as it goes, the others in files that are mapped into it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stseg_ros.datasets.scene_cache import cache_folder
from stseg_ros.errors import DataError

if TYPE_CHECKING:
    from stseg_ros.records import UInt8Array

_FILE_BYTES = 1 << 30
# The rest is for networks, shrunk copies and whatever else runs.
_SHARE_OF_MEMORY = 0.5


class ImageMemory:
    """Holds arrays that do not change.

    The files have no name, so that they go when the process does, and lie in the cache folder,
    which unlike `/tmp` is rarely in memory itself.
    """

    def __init__(self, budget_bytes: int | None = None, file_bytes: int = _FILE_BYTES) -> None:
        """Start empty.

        Args:
            budget_bytes: how much to hold in memory; None takes half of what the machine has,
                divided among the training processes on it.
            file_bytes: size of one mapped file; larger arrays get a file of their own size.
        """
        self._left = machine_budget() if budget_bytes is None else budget_bytes
        self._file_bytes = file_bytes
        self._mapped: UInt8Array = np.empty(0, np.uint8)
        self._used = 0

    def hold(self, array: UInt8Array) -> UInt8Array:
        """Return an array of the same values, which is the given one while there is memory.

        Args:
            array: of any shape.

        Returns:
            The array itself, or a view into a mapped file.

        Raises:
            DataError: the disk of the cache folder is full.
        """
        if array.nbytes <= self._left:
            self._left -= array.nbytes
            return array
        if self._used + array.nbytes > self._mapped.nbytes:
            self._mapped = _map_file(max(self._file_bytes, array.nbytes))
            self._used = 0
        place = self._mapped[self._used : self._used + array.nbytes]
        self._used += array.nbytes
        place[:] = array.reshape(-1)
        return place.reshape(array.shape)


def machine_budget() -> int:
    """Return how many bytes of images one training process may hold in memory."""
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    return int(_SHARE_OF_MEMORY * memory) // processes


def _map_file(size: int) -> UInt8Array:
    folder: Path = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            # A file with holes would end the process when the disk fills later.
            os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, np.uint8, 'r+', shape=(size,)))
    except OSError as error:
        raise DataError(
            f'the images do not fit into memory, and {size / 1e9:.1f} GB for them cannot be '
            f'written in {folder}: {error.strerror}; free space there, or set XDG_CACHE_HOME to '
            'a folder on another disk'
        ) from error
