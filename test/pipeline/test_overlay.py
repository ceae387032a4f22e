"""Tests of the picture for people."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.pipeline.overlay import draw_overlay
from stseg_ros.records import (
    ChannelOrder,
    Frame,
    FrameTiming,
    RegionSelection,
    SegmentationResult,
)

# The colours as the module documents them: a blue tint, a light contour, yellow frames; in BGR.
TINT, CONTOUR, REGION = (255, 170, 0), (255, 235, 130), (60, 215, 255)
GREY = (80, 100, 120)


def segmentation(
    mask_hw: np.ndarray, boxes_xyxy: list[list[int]], working_hw: tuple[int, int]
) -> SegmentationResult:
    return SegmentationResult(
        mask_hw=mask_hw,
        logit_bytes_hw=np.zeros(working_hw, np.uint8),
        selection=RegionSelection(
            boxes_xyxy=np.array(boxes_xyxy, np.int32).reshape(-1, 4),
            score=np.zeros(len(boxes_xyxy), np.float32),
        ),
        timing=FrameTiming(),
        stamp_ns=0,
        frame_id='',
    )


def picture(order: ChannelOrder = ChannelOrder.BGR) -> Frame:
    colour = GREY if order is ChannelOrder.BGR else GREY[::-1]
    return Frame(image_hwc=np.full((60, 80, 3), colour, np.uint8), channel_order=order)


def block_mask() -> np.ndarray:
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 30:60] = 255
    return mask


@pytest.mark.parametrize('order', list(ChannelOrder))
@pytest.mark.parametrize(
    # alpha x tint + (1 - alpha) x grey, by hand.
    ('alpha', 'inside'),
    [(0.0, (80, 100, 120)), (0.25, (124, 118, 90)), (1.0, TINT)],
)
def test_vehicles_are_tinted_and_the_rest_untouched(
    order: ChannelOrder, alpha: float, inside: tuple[int, int, int]
) -> None:
    overlay = draw_overlay(picture(order), segmentation(block_mask(), [], (30, 40)), alpha)
    assert overlay.shape == (60, 80, 3)
    assert overlay.dtype == np.uint8
    np.testing.assert_allclose(overlay[30, 45].astype(int), inside, atol=1)
    outside = np.ones((60, 80), bool)
    outside[20:40, 30:60] = False
    assert (overlay[outside] == GREY).all()


def test_the_contour_runs_along_the_masks_edge() -> None:
    overlay = draw_overlay(picture(), segmentation(block_mask(), [], (30, 40)))
    for row, column in ((20, 45), (39, 45), (30, 30), (30, 59)):
        assert (overlay[row, column] == CONTOUR).all()


def test_regions_are_framed_inside_at_the_cameras_scale() -> None:
    # The working image has half the camera's size: the box is doubled, and half-open.
    empty = np.zeros((60, 80), np.uint8)
    overlay = draw_overlay(picture(), segmentation(empty, [[10, 5, 20, 15]], (30, 40)))
    framed = (overlay != GREY).any(axis=2)
    expected = np.zeros((60, 80), bool)
    expected[10:30, 20:40] = True
    expected[11:29, 21:39] = False
    np.testing.assert_array_equal(framed, expected)
    assert (overlay[10, 20] == REGION).all()


def test_a_frame_around_the_whole_image_is_seen() -> None:
    empty = np.zeros((60, 80), np.uint8)
    overlay = draw_overlay(picture(), segmentation(empty, [[0, 0, 40, 30]], (30, 40)))
    assert (overlay[[0, -1]] == REGION).all()
    assert (overlay[:, [0, -1]] == REGION).all()


def test_lines_grow_with_the_image() -> None:
    empty = np.zeros((2160, 3840), np.uint8)
    frame = Frame(image_hwc=np.zeros((2160, 3840, 3), np.uint8))
    overlay = draw_overlay(frame, segmentation(empty, [[0, 0, 1920, 1080]], (1080, 1920)))
    assert 3 <= int(overlay[1000, :100].any(axis=1).sum()) <= 6


def test_the_frame_is_left_as_it_was() -> None:
    frame = picture()
    frame.image_hwc.flags.writeable = False
    draw_overlay(frame, segmentation(block_mask(), [[0, 0, 9, 9]], (30, 40)))
    assert (frame.image_hwc == GREY).all()
