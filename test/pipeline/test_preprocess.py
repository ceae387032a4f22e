"""Tests of frame to network input."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.errors import FrameError
from stseg_ros.pipeline.preprocess import (
    check_frame,
    coarse_batch,
    region_batch,
    to_working_size,
    upsample_logits,
)
from stseg_ros.records import ChannelOrder, Frame


def random_image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((0, 0, 3), np.uint8), 'image is 0x0; the smallest'),
        (
            np.zeros((1, 1, 3), np.uint8),
            'image is 1x1; the smallest that can be segmented is 16x16',
        ),
        (np.zeros((480, 640), np.uint8), r'shape \(480, 640\); expected \(height, width, 3\)'),
        (np.zeros((480, 640, 4), np.uint8), r'shape \(480, 640, 4\)'),
        (np.zeros((480, 640, 3), np.float32), 'element type float32; expected uint8'),
        (np.broadcast_to(np.uint8(0), (20_000, 6_000, 3)), 'the largest .* 100 megapixels'),
    ],
)
def test_unusable_frames_are_named(image: np.ndarray, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        check_frame(Frame(image_hwc=image))


@pytest.mark.parametrize('size_hw', [(16, 16), (6000, 8000), (375, 1242), (720, 1280)], ids=str)
def test_usable_frames_pass(size_hw: tuple[int, int]) -> None:
    image = np.broadcast_to(np.uint8(0), (*size_hw, 3))
    check_frame(Frame(image_hwc=image))
    assert image.shape == (*size_hw, 3)


@pytest.mark.parametrize('size_hw', [(100, 100), (33, 70), (400, 900), (64, 128)], ids=str)
def test_working_size_is_kept_to(size_hw: tuple[int, int]) -> None:
    working = to_working_size(random_image(*size_hw), (64, 128))
    assert (working.shape, working.dtype) == ((64, 128, 3), np.uint8)


def test_strong_shrinking_averages() -> None:
    image = random_image(64, 128)
    expected = image.reshape(16, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(to_working_size(image, (16, 32)) - expected).max() <= 0.5


def test_working_image_goes_where_it_is_asked_to() -> None:
    image, out = random_image(100, 90), np.zeros((64, 128, 3), np.uint8)
    working = to_working_size(image, (64, 128), out)
    assert np.shares_memory(working, out)
    np.testing.assert_array_equal(out, to_working_size(image, (64, 128)))


@pytest.mark.parametrize('factor', [1, 3, 6])
def test_other_coarse_factors(factor: int) -> None:
    image = random_image(36, 72)
    expected = image.reshape(36 // factor, factor, 72 // factor, factor, 3).mean(axis=(1, 3))
    assert np.abs(coarse_batch(image, ChannelOrder.RGB, factor)[0] - expected).max() <= 1.0


@pytest.mark.parametrize('order', list(ChannelOrder))
def test_coarse_input_is_the_block_mean_in_rgb(order: ChannelOrder) -> None:
    image = random_image(32, 48)
    rgb = image if order is ChannelOrder.RGB else image[..., ::-1]
    expected = rgb.reshape(4, 8, 6, 8, 3).mean(axis=(1, 3))
    batch = coarse_batch(image, order, 8)
    assert (batch.shape, batch.dtype) == ((1, 4, 6, 3), np.uint8)
    # Each of three halvings rounds.
    assert np.abs(batch[0] - expected).max() <= 1.0
    assert np.abs(batch[0] - expected).mean() <= 0.5


@pytest.mark.parametrize('order', list(ChannelOrder))
def test_regions_are_cut_out_in_rgb(order: ChannelOrder) -> None:
    image = random_image(16, 24)
    boxes = np.array([[8, 0, 16, 8], [16, 8, 24, 16]], np.int32)
    batch = region_batch(image, order, boxes)
    rgb = image if order is ChannelOrder.RGB else image[:, :, [2, 1, 0]]
    np.testing.assert_array_equal(batch[0], rgb[0:8, 8:16])
    np.testing.assert_array_equal(batch[1], rgb[8:16, 16:24])
    assert batch.flags.c_contiguous


def test_upsampling_never_shares_memory() -> None:
    logits = np.ones((4, 4), np.float32)
    assert not np.shares_memory(upsample_logits(logits, (4, 4)), logits)


def test_upsampling_is_bilinear_between_pixel_centres() -> None:
    logits = np.array([[0.0, 4.0]], np.float32)
    # Centres of the four new pixels lie at -0.25, 0.25, 0.75 and 1.25 of the old grid.
    np.testing.assert_allclose(upsample_logits(logits, (1, 4)), [[0.0, 1.0, 3.0, 4.0]], atol=1e-6)
