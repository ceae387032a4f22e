"""Tests of frame to network input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stseg_ros.errors import FrameError
from stseg_ros.pipeline.preprocess import FrameSampler, check_frame, resize_image
from stseg_ros.records import Frame


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
        (np.broadcast_to(np.uint8(0), (16, 1025, 3)), '1025x16; its longer side .* 64 times'),
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
def test_the_size_asked_for_is_kept_to(size_hw: tuple[int, int]) -> None:
    resized = resize_image(random_image(*size_hw), (64, 128))
    assert (resized.shape, resized.dtype) == ((64, 128, 3), np.uint8)


def test_strong_shrinking_averages() -> None:
    image = random_image(64, 128)
    expected = image.reshape(16, 4, 32, 4, 3).mean(axis=(1, 3))
    # Halved twice, and rounded each time.
    assert np.abs(resize_image(image, (16, 32)) - expected).max() <= 1.0


def test_a_resized_image_is_a_new_one() -> None:
    image = random_image(16, 32)
    resized = resize_image(image, (16, 32))
    np.testing.assert_array_equal(resized, image)
    assert not np.shares_memory(resized, image)


def sampler(working_hw: tuple[int, int] = (32, 48), coarse_factor: int = 8) -> FrameSampler:
    return FrameSampler(working_hw=working_hw, coarse_factor=coarse_factor)


@pytest.mark.parametrize('times', [4, 8, 16])
def test_coarse_input_is_the_block_mean(times: int) -> None:
    # Blocks of one colour each, so that any sample of a block is its mean.
    colours = random_image(4, 6)
    image = np.repeat(np.repeat(colours, times, axis=0), times, axis=1)
    batch = sampler().coarse(image)
    assert (batch.shape, batch.dtype) == ((1, 4, 6, 3), np.uint8)
    np.testing.assert_array_equal(batch[0], colours)


def test_coarse_input_averages_every_pixel_of_a_frame_at_twice_its_size() -> None:
    image = random_image(8, 12)
    expected = image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    assert np.abs(sampler().coarse(image)[0] - expected).max() <= 0.5


@pytest.mark.parametrize('camera_hw', [(720, 1280), (375, 1242), (600, 800)], ids=str)
@pytest.mark.parametrize('axis', [0, 1])
def test_coarse_input_lies_where_the_frame_does(camera_hw: tuple[int, int], axis: int) -> None:
    shape = [1, 1, 1]
    shape[axis] = camera_hw[axis]
    slope = np.rint(np.linspace(0, 255, camera_hw[axis])).reshape(shape)
    up = np.broadcast_to(slope, (*camera_hw, 3)).astype(np.uint8)
    # What is brought too far shows with both signs, what is rounded up with one.
    means = [sampler((512, 1024)).coarse(image)[0].mean() for image in (up, 255 - up)]
    grey_levels_per_pixel = 255 / camera_hw[axis]
    assert abs(means[0] - means[1]) / 2 < 1.0 * grey_levels_per_pixel


@pytest.mark.parametrize(
    'camera_hw', [(720, 1280), (1080, 1920), (2160, 3840), (375, 1242), (480, 640)], ids=str
)
def test_coarse_input_is_close_to_the_mean_of_all_pixels(camera_hw: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).normal(0, 12, (*camera_hw, 3))
    slope = np.linspace(60, 180, camera_hw[1])[None, :, None]
    image = np.clip(slope + noise, 0, 255).astype(np.uint8)
    expected = cv2.resize(image, (128, 64), interpolation=cv2.INTER_AREA).astype(float)
    batch = sampler((512, 1024)).coarse(image)[0]
    # Noise of 12 grey levels falls by the root of the samples, 4 or more.
    assert np.abs(batch - expected).mean() < 5.0
    assert abs((batch - expected).mean()) < 0.6


@pytest.mark.parametrize(
    'camera_hw',
    [(32, 48), (45, 60), (80, 120), (33, 50), (24, 36), (20, 80)],
    ids=['equal', 'edges on pixels', 'shrunk much', 'edges between', 'enlarged', 'both ways'],
)
def test_regions_are_those_of_the_resized_frame(camera_hw: tuple[int, int]) -> None:
    image = random_image(*camera_hw)
    boxes = np.array([[12, 0, 24, 8], [36, 24, 48, 32], [0, 16, 12, 24]], np.int32)
    batch = sampler().regions(image, boxes)
    whole = image
    if camera_hw == (80, 120):  # Two samples per pixel and axis: shrunk by 1.25 only, and halved.
        whole = cv2.resize(whole, (96, 64), interpolation=cv2.INTER_LINEAR)
    whole = cv2.resize(whole, (48, 32), interpolation=cv2.INTER_LINEAR)
    for region, (left, top, right, bottom) in zip(batch, boxes, strict=True):
        np.testing.assert_array_equal(region, whole[top:bottom, left:right])
    assert batch.flags.c_contiguous


@pytest.mark.parametrize('camera_hw', [(720, 1280), (1080, 1920), (600, 1024), (1208, 1928)])
@pytest.mark.parametrize('count', [1, 3])
def test_a_region_may_lie_between_camera_pixels(camera_hw: tuple[int, int], count: int) -> None:
    working_hw = 512, 1024
    image = random_image(*camera_hw)
    rng = np.random.default_rng(count)
    left, top = rng.integers(0, 113, count) * 8, rng.integers(0, 49, count) * 8
    boxes = np.stack([left, top, left + 128, top + 128], axis=1).astype(np.int32)
    batch = FrameSampler(working_hw=working_hw, coarse_factor=8).regions(image, boxes)
    whole = resize_image(image, working_hw)
    for region, (x0, y0, x1, y1) in zip(batch, boxes, strict=True):
        np.testing.assert_array_equal(region, whole[y0:y1, x0:x1])


def test_no_more_of_the_camera_image_is_read_than_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of 720 rows at a working height of 512 every 45th edge is one of 32: up to 160 rows per
    # region of 128, where the whole frame has 512.
    resized = []
    resize = cv2.resize

    def spy(image: np.ndarray, size_wh: tuple[int, int], **options: object) -> np.ndarray:
        resized.append(size_wh)
        return resize(image, size_wh, **options)

    boxes = np.array([[8, 8, 136, 136], [512, 64, 640, 192]], np.int32)
    regions = FrameSampler(working_hw=(512, 1024), coarse_factor=8)
    image = random_image(720, 1280)
    monkeypatch.setattr(cv2, 'resize', spy)
    regions.regions(image, boxes)
    assert resized == [(128, 160), (128, 128)]


def test_the_prior_is_the_fourth_channel() -> None:
    image = random_image(32, 48)
    prior = np.random.default_rng(3).integers(0, 256, (32, 48), np.uint8)
    boxes = np.array([[12, 0, 24, 8], [36, 24, 48, 32]], np.int32)
    colours = sampler().regions(image, boxes)
    batch = sampler().regions(image, boxes, prior)
    assert batch.shape == (2, 8, 12, 4)
    np.testing.assert_array_equal(batch[..., :3], colours)
    np.testing.assert_array_equal(batch[0, ..., 3], prior[0:8, 12:24])
    np.testing.assert_array_equal(batch[1, ..., 3], prior[24:32, 36:48])


def test_the_camera_image_is_left_alone() -> None:
    image = random_image(32, 48)
    before = image.copy()
    image.flags.writeable = False
    boxes = np.array([[0, 0, 12, 8]], np.int32)
    sampler().coarse(image)
    sampler().regions(image, boxes)
    np.testing.assert_array_equal(image, before)
