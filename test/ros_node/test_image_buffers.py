"""Tests of the image messages."""

from __future__ import annotations

import array
import io

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from matplotlib import image as matplotlib_image
from std_msgs.msg import Header

from stseg_ros.ros_node.image_buffers import ImageBuffer, png_mask
from stseg_ros.sources.image_codec import decode


def test_an_image_buffer_is_refilled_and_follows_the_size() -> None:
    buffer = ImageBuffer('bgr8')
    first = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    message = buffer.fill(Header(frame_id='a'), first)
    assert (message.height, message.width, message.step) == (2, 4, 12)
    assert isinstance(message.data, array.array)
    assert message.data.tobytes() == first.tobytes()
    data = message.data
    second = first[:, ::-1]
    assert buffer.fill(Header(frame_id='b'), second).data is data
    assert data.tobytes() == second.tobytes()
    assert message.header.frame_id == 'b'
    message = buffer.fill(Header(), np.zeros((5, 1, 3), np.uint8))
    assert (message.height, message.width, message.step, len(message.data)) == (5, 1, 3, 15)


# A width that does not fill its last byte of eight pixels.
@pytest.mark.parametrize('size_hw', [(3, 5), (40, 61), (16, 16)])
def test_a_png_mask_is_lossless_for_every_reader(size_hw: tuple[int, int]) -> None:
    mask_hw = (np.random.default_rng(3).random(size_hw) > 0.5).astype(np.uint8) * 255
    header = Header(frame_id='camera')
    message = png_mask(header, mask_hw)
    assert message.header is header
    assert message.format == 'mono8; png compressed '
    assert isinstance(message.data, array.array)
    ours = decode(message).image_hwc
    assert ours.shape == (*size_hw, 3)
    np.testing.assert_array_equal(ours, np.repeat(mask_hw[..., None], 3, axis=2))
    # Pillow, by way of matplotlib, scales to 1.
    theirs = matplotlib_image.imread(io.BytesIO(message.data.tobytes()), format='png')
    np.testing.assert_array_equal(theirs, mask_hw / 255)


def test_a_png_mask_is_small() -> None:
    mask_hw = np.zeros((720, 1280), np.uint8)
    mask_hw[300:500, 400:900] = 255
    assert len(png_mask(Header(), mask_hw).data) < mask_hw.size / 100
