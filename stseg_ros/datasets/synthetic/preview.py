"""A contact sheet of synthetic scenes: pictures with their vehicles tinted."""

from __future__ import annotations

import cv2
import numpy as np

from stseg_ros.datasets.synthetic.scenes import Scene
from stseg_ros.records import UInt8Array

_MOST_PICTURES = 12
_COLUMNS = 3
_PICTURE_WIDTH = 480
_GAP = 6
_TINT = (255, 96, 0)


class Preview:
    """Collects up to twelve pictures, spread evenly over the scenes."""

    def __init__(self, count: int) -> None:
        """Start with no picture.

        Args:
            count: how many scenes there will be, 1 or more.
        """
        shown = min(count, _MOST_PICTURES)
        self._chosen = {round(i * (count - 1) / max(shown - 1, 1)) for i in range(shown)}
        self._seen = 0
        self._pictures: list[UInt8Array] = []

    def add(self, scene: Scene) -> None:
        """Take the next scene; it is shown if its turn has come."""
        if self._seen in self._chosen:
            height, width = scene.mask_hw.shape
            size = (_PICTURE_WIDTH, max(1, round(_PICTURE_WIDTH * height / width)))
            picture = cv2.resize(tinted(scene), size, interpolation=cv2.INTER_AREA)
            self._pictures.append(np.asarray(picture, dtype=np.uint8))
        self._seen += 1

    def sheet(self) -> UInt8Array:
        """Return the contact sheet, (H, W, 3) uint8 RGB; at least one scene was added."""
        columns = min(_COLUMNS, len(self._pictures))
        rows = -(-len(self._pictures) // columns)
        height, width = self._pictures[0].shape[:2]
        shape = (rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3)
        sheet = np.full(shape, 255, np.uint8)
        for number, picture in enumerate(self._pictures):
            y = _GAP + number // columns * (height + _GAP)
            x = _GAP + number % columns * (width + _GAP)
            sheet[y : y + height, x : x + width] = picture
        return sheet


def tinted(scene: Scene) -> UInt8Array:
    """Return a scene's picture with its vehicles tinted: (H, W, 3) uint8 RGB."""
    image = scene.image_hwc.copy()
    vehicle = scene.mask_hw > 0
    image[vehicle] = (0.55 * image[vehicle] + 0.45 * np.array(_TINT)).astype(np.uint8)
    return image
