"""Tests of the regular grid."""

from __future__ import annotations

import numpy as np

from stseg_ros.pipeline.selectors.cells import grid_boxes_xyxy


def test_grid_boxes_cover_the_frame_once() -> None:
    cover = np.zeros((128, 256), int)
    for x0, y0, x1, y1 in grid_boxes_xyxy((2, 4), (128, 256)):
        cover[y0:y1, x0:x1] += 1
    assert (cover == 1).all()
