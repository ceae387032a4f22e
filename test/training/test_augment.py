from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.errors import ConfigError
from stseg_ros.training.augment import (
    AugmentConfig,
    cut_box,
    cut_from_map,
    random_view_hw,
    resize_labels,
    rotate,
    vary_colours,
)

RAMP = np.arange(20, dtype=np.uint8).reshape(4, 5)


def test_box_inside_is_a_plain_cut() -> None:
    assert cut_box(RAMP, (1, 2), (2, 3)).tolist() == [[7, 8, 9], [12, 13, 14]]


def test_box_beyond_the_image_is_mirrored() -> None:
    box = cut_box(RAMP, (-1, -2), (3, 4))
    assert box.tolist() == [[1, 0, 0, 1], [1, 0, 0, 1], [6, 5, 5, 6]]
    box = cut_box(RAMP, (3, 3), (2, 4))
    assert box.tolist() == [[18, 19, 19, 18], [18, 19, 19, 18]]


@pytest.mark.parametrize(
    ('origin_yx', 'size_hw'), [((0, 0), (96, 128)), ((24, 32), (24, 32)), ((5, 77), (60, 51))]
)
def test_a_cut_out_of_a_map_is_that_of_the_enlarged_map(
    origin_yx: tuple[int, int], size_hw: tuple[int, int]
) -> None:
    map_hw = np.random.default_rng(0).integers(0, 256, (12, 16), np.uint8)
    found = cut_from_map(map_hw, (96, 128), origin_yx, size_hw, (48, 64))
    # The centre of each of the view's pixels, in pixels of the map whose centres are whole.
    rows = (origin_yx[0] + (np.arange(48) + 0.5) * size_hw[0] / 48) / 8 - 0.5
    columns = (origin_yx[1] + (np.arange(64) + 0.5) * size_hw[1] / 64) / 8 - 0.5
    along = np.stack([np.interp(columns, np.arange(16), line) for line in map_hw.astype(float)])
    wanted = np.stack([np.interp(rows, np.arange(12), line) for line in along.T]).T
    # OpenCV rounds places to a 32nd of a pixel, here up to 255 / 64 of a byte in each axis.
    np.testing.assert_allclose(found, wanted, atol=9.0)
    assert np.abs(found - wanted).mean() < 1.5


def test_a_cut_beyond_the_image_mirrors_the_map() -> None:
    map_hw = np.arange(0, 240, 20, dtype=np.uint8)[:, None] + np.zeros((12, 16), np.uint8)
    found = cut_from_map(map_hw, (96, 128), (-48, 0), (96, 128), (96, 128))
    np.testing.assert_array_equal(found[:48], found[48:][::-1])


def test_box_with_channels_keeps_them() -> None:
    image_hwc = np.stack([RAMP, RAMP + 100], axis=2)
    assert cut_box(image_hwc, (-1, 0), (2, 1)).tolist() == [[[0, 100]], [[0, 100]]]


def test_view_sizes_stay_in_range_and_spread() -> None:
    config = AugmentConfig(zoom_low=0.5, zoom_high=2.0, aspect_high=4.0)
    rng = np.random.default_rng(0)
    sizes = np.array([random_view_hw((100.0, 400.0), config, rng) for _ in range(2000)], float)
    zoom = np.sqrt(100.0 * 400.0 / sizes.prod(axis=1))
    stretch = sizes[:, 0] / sizes[:, 1] * 4.0
    assert 0.49 < zoom.min() < 0.55
    assert 1.85 < zoom.max() < 2.02
    assert 0.24 < stretch.min() < 0.28
    assert 3.6 < stretch.max() < 4.1
    # Even on a logarithmic scale: as often enlarged as shrunk.
    assert abs((zoom > 1).mean() - 0.5) < 0.04


def test_labels_are_never_mixed() -> None:
    labels_hw = np.array([[0, 255], [1, 0]], np.uint8)
    assert set(np.unique(resize_labels(labels_hw, (7, 9)))) == {0, 1, 255}
    doubled = resize_labels(labels_hw, (4, 4))
    assert doubled.tolist() == [[0, 0, 255, 255]] * 2 + [[1, 1, 0, 0]] * 2


def test_colours_vary_but_grey_stays_grey_in_hue() -> None:
    config = AugmentConfig(colour=1.0)
    image_hwc = np.full((4, 4, 3), 128, np.uint8)
    results = [vary_colours(image_hwc, config, np.random.default_rng(seed)) for seed in range(20)]
    means = np.array([result.mean(axis=(0, 1)) for result in results])
    assert means.std(axis=0).min() > 5
    # White balance differs by at most 6 % per channel about mid grey, plus rounding.
    assert np.ptp(means, axis=1).max() < 0.13 * 128
    assert all(result.shape == (4, 4, 3) and result.dtype == np.uint8 for result in results)


def test_degrading_changes_the_image_and_nothing_else_does() -> None:
    rng = np.random.default_rng(3)
    image_hwc = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    still = AugmentConfig(colour=0.0, degrade=0.0)
    assert np.array_equal(vary_colours(image_hwc, still, rng), image_hwc)
    degraded = vary_colours(image_hwc, AugmentConfig(colour=0.0, degrade=1.0), rng)
    assert not np.array_equal(degraded, image_hwc)
    assert degraded.std() < image_hwc.std()


def test_light_is_brightness_and_contrast_within_a_tenth() -> None:
    config = AugmentConfig(colour=0.0, light=1.0)
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    for seed in range(20):
        changed = vary_colours(ramp, config, np.random.default_rng(seed)).astype(int)
        assert (changed[..., 0] == changed[..., 1]).all()
        # Far from both ends nothing is cut off: a straight line of slope 1 +- 0.1.
        slope = (changed[0, 180, 0] - changed[0, 80, 0]) / 100
        assert 0.89 <= slope <= 1.11
        assert abs(changed[0, 0, 0]) <= 26
        assert abs(changed[0, 128, 0] - 128) <= 26 + 13


def test_rotation_keeps_labels_on_the_image() -> None:
    image_hwc = np.zeros((41, 41, 3), np.uint8)
    image_hwc[5:15, 25:35] = 200
    label_hw = (image_hwc[..., 0] > 0).astype(np.uint8)
    quarter = rotate(image_hwc, 90.0, labels=False)
    np.testing.assert_array_equal(quarter, np.rot90(image_hwc))
    for degrees in (30.0, -75.0, 160.0):
        view, labels = (
            rotate(image_hwc, degrees, labels=False),
            rotate(label_hw, degrees, labels=True),
        )
        assert set(np.unique(labels)) == {0, 1}
        differing = np.count_nonzero((view[..., 0] > 100) != (labels == 1))
        assert differing < 15


def test_same_seed_same_colours() -> None:
    image_hwc = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    config = AugmentConfig(colour=1.0, degrade=1.0)
    first, second = (vary_colours(image_hwc, config, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    'options',
    [{'zoom_low': 2.0, 'zoom_high': 1.0}, {'zoom_low': 0.0}, {'aspect_high': 0.9}, {'flip': 1.5}],
)
def test_refuses_impossible_ranges(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        AugmentConfig(**options)
