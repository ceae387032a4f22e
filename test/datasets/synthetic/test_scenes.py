"""Tests of whole synthetic scenes: what is promised to those who train and test on them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stseg_ros.datasets.synthetic.scenes import Scene, render_drive, render_scene

SMALL_HW = (90, 160)


def same(one: Scene, other: Scene) -> bool:
    return (
        np.array_equal(one.image_hwc, other.image_hwc)
        and np.array_equal(one.class_hw, other.class_hw)
        and one.vehicles == other.vehicles
    )


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    return [render_scene(seed, SMALL_HW) for seed in range(40)]


@pytest.mark.parametrize('size_hw', [(720, 1280), (375, 1242), (360, 480), (32, 48), (97, 33)])
def test_image_and_mask_have_the_size_asked_for(size_hw: tuple[int, int]) -> None:
    scene = render_scene(3, size_hw)
    assert scene.image_hwc.shape == (*size_hw, 3)
    assert scene.mask_hw.shape == scene.class_hw.shape == size_hw
    assert scene.image_hwc.dtype == scene.mask_hw.dtype == scene.class_hw.dtype == np.uint8
    assert scene.camera.size_hw == size_hw
    assert set(np.unique(scene.mask_hw)) <= {0, 255}


def test_a_seed_names_one_scene(scenes: list[Scene]) -> None:
    assert same(render_scene(5, SMALL_HW), scenes[5])
    assert not same(scenes[5], scenes[6])


def test_mask_is_the_vehicle_classes_of_cityscapes(scenes: list[Scene]) -> None:
    for scene in scenes:
        # Train ids 13 car, 14 truck, 15 bus.
        vehicle = (scene.class_hw == 13) | (scene.class_hw == 14) | (scene.class_hw == 15)
        assert np.array_equal(scene.mask_hw == 255, vehicle)


def test_vehicle_records_account_for_every_mask_pixel(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert sum(v.visible_pixels for v in scene.vehicles) == (scene.mask_hw == 255).sum()
        boxed = np.zeros_like(scene.mask_hw)
        for vehicle in scene.vehicles:
            x0, y0, x1, y1 = vehicle.visible_box_xyxy
            inside = scene.class_hw[y0:y1, x0:x1] == vehicle.scene_class
            assert inside.any(axis=0)[[0, -1]].all()
            assert inside.any(axis=1)[[0, -1]].all()
            boxed[y0:y1, x0:x1] = 255
        assert (boxed[scene.mask_hw == 255] == 255).all()
        depths = [vehicle.depth_m for vehicle in scene.vehicles]
        assert depths == sorted(depths, reverse=True)


def test_scenes_hold_what_road_scenes_hold(scenes: list[Scene]) -> None:
    kinds = {vehicle.kind for scene in scenes for vehicle in scene.vehicles}
    assert {'hatchback', 'saloon', 'estate', 'suv', 'van', 'lorry', 'bus'} <= kinds
    classes = {int(value) for scene in scenes for value in np.unique(scene.class_hw)}
    # Road, pavement, building, pole, vegetation, terrain, sky, person, and the own bonnet.
    assert {0, 1, 2, 5, 8, 9, 10, 11, 255} <= classes
    share = np.array([(scene.mask_hw > 0).mean() for scene in scenes])
    assert 0.04 < np.median(share) < 0.2
    assert share.max() < 0.7


def test_many_vehicles_are_small_and_far() -> None:
    heights = []
    for seed in range(8):
        for vehicle in render_scene(seed, (360, 640)).vehicles:
            _, y0, _, y1 = vehicle.visible_box_xyxy
            heights.append(y1 - y0)
    assert sum(height <= 10 for height in heights) > len(heights) / 5
    assert max(heights) > 100


def test_a_drive_is_reproducible_and_shares_one_camera() -> None:
    first, second = (list(render_drive(4, 3, 10.0, SMALL_HW)) for _ in range(2))
    assert len(first) == 3
    assert all(same(one, other) for one, other in zip(first, second, strict=True))
    assert len({scene.camera for scene in first}) == 1


def changed_share(one: Scene, other: Scene) -> float:
    return float((one.mask_hw != other.mask_hw).mean())


@pytest.mark.parametrize('seed', [1, 7])
def test_a_drive_moves_on_without_jumps(seed: int) -> None:
    frames = list(render_drive(seed, 40, 30.0, (135, 240)))
    steps = [changed_share(one, other) for one, other in pairwise(frames)]
    # Most of the time little changes; a bus that drives past frees several percent at once.
    assert np.median(steps) < 0.03
    assert max(steps) < 0.12
    assert changed_share(frames[0], frames[-1]) > 4 * np.median(steps)
    assert all(
        not np.array_equal(one.image_hwc, other.image_hwc) for one, other in pairwise(frames)
    )


def test_rate_only_decides_when_frames_are_taken() -> None:
    # The streets differ, because faster drives are shorter, but not where the camera stands.
    slow = next(iter(render_drive(2, 4, 2.0, SMALL_HW)))
    fast = next(iter(render_drive(2, 4, 20.0, SMALL_HW)))
    assert slow.camera == fast.camera
