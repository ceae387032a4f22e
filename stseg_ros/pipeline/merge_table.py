"""A merge of coarse and refined logits that was fitted to a bundle's networks, as a table."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stseg_ros.errors import BundleError
from stseg_ros.records import UInt8Array

LEVELS = 256

# Sampling takes the places' fractions apart; these have none.
_NO_FRACTIONS = np.empty((0, 0), np.uint16)


class MergeTable:
    """Looks merged logits up. It belongs to the thread that calls `merge`.

    Attributes:
        bytes_cr: (256, 256) uint8, the merged byte by coarse byte and refined byte.
    """

    def __init__(self, bytes_cr: UInt8Array) -> None:
        """Take a table.

        Args:
            bytes_cr: see the class; kept.
        """
        assert bytes_cr.shape == (LEVELS, LEVELS)
        assert bytes_cr.dtype == np.uint8
        self.bytes_cr = bytes_cr
        self._zeros_hw: UInt8Array = np.zeros((0, 0), np.uint8)
        self._places: UInt8Array = np.empty((0, 0, 4), np.uint8)

    @classmethod
    def read(cls, path: Path) -> MergeTable:
        """Read a table from a bundle.

        Args:
            path: its file, which `write` wrote.

        Returns:
            The table.

        Raises:
            BundleError: the file cannot be read or holds something else.
        """
        try:
            table = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as err:
            reason = ' '.join(str(err).split())
            raise BundleError(f'{path}: is not a NumPy array ({reason})') from err
        shape, dtype = getattr(table, 'shape', None), getattr(table, 'dtype', None)
        if (shape, dtype) != ((LEVELS, LEVELS), np.uint8):
            raise BundleError(
                f'{path}: holds {dtype} of shape {shape}, expected uint8 of {LEVELS}x{LEVELS}, a '
                'merged byte by coarse and refined byte; export the bundle again'
            )
        return cls(table)

    def write(self, path: Path) -> None:
        """Write the table.

        Args:
            path: a file whose name ends in .npy.
        """
        np.save(path, self.bytes_cr, allow_pickle=False)

    def merge(self, target_hw: UInt8Array, refined_hw: UInt8Array) -> None:
        """Merge refined logits into coarse ones, in place.

        Args:
            target_hw: (h, w) uint8 coarse logits; changed.
            refined_hw: (h, w) uint8 refined logits.
        """
        if self._zeros_hw.shape != target_hw.shape:
            self._zeros_hw = np.zeros(target_hw.shape, np.uint8)
            self._places = np.empty((*target_hw.shape, 4), np.uint8)
        # Sampling the table like an image at places (x, y) of two 16-bit numbers takes a quarter
        # of the time of NumPy's indexing.
        cv2.merge((refined_hw, self._zeros_hw, target_hw, self._zeros_hw), dst=self._places)
        places = self._places.view('<i2')
        cv2.remap(self.bytes_cr, places, _NO_FRACTIONS, cv2.INTER_NEAREST, dst=target_hw)
