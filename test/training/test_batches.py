from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.tiny_training import RECIPE, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.errors import DataError
from stseg_ros.training.batches import StepBatches, draw_ahead
from stseg_ros.training.images import LabelledImage, load_images
from stseg_ros.training.recipe import Recipe, load_recipe

pytestmark = pytest.mark.torch


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(write_recipe(tmp_path))


@pytest.fixture
def images(recipe: Recipe, tmp_path: Path) -> list[LabelledImage]:
    return load_images(recipe, write_camvid(tmp_path), held_out=False)


def test_held_out_images_are_kept_apart(recipe: Recipe, tmp_path: Path) -> None:
    root = write_camvid(tmp_path)
    train = {image.name for image in load_images(recipe, root, held_out=False)}
    dev = {image.name for image in load_images(recipe, root, held_out=True)}
    assert train == {f'drive_{index}' for index in range(6)}
    assert dev == {'held_0', 'held_1'}


def test_holding_everything_out_is_an_error(tmp_path: Path) -> None:
    greedy = load_recipe(write_recipe(tmp_path, RECIPE.replace("'held_*'", "'*'")))
    with pytest.raises(DataError, match='every image is held out'):
        load_images(greedy, write_camvid(tmp_path), held_out=False)


def test_anchors_lie_on_borders(images: list[LabelledImage]) -> None:
    for image in images:
        rows, columns = np.nonzero(image.vehicle_hw)
        top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
        assert len(image.anchors_yx) > 50
        for y, x in image.anchors_yx:
            beside = min(abs(y - top), abs(y - bottom), abs(x - left), abs(x - right))
            assert beside <= 1


@pytest.mark.parametrize(
    ('stage', 'image_shape', 'label_shape'),
    [
        ('coarse', (8, 16, 32, 3), (8, 32, 64)),
        ('refine', (8, 64, 64, 3), (8, 64, 64)),
    ],
)
def test_a_batch_repeats_and_its_labels_fit_its_images(
    stage: str,
    image_shape: tuple[int, ...],
    label_shape: tuple[int, ...],
    recipe: Recipe,
    images: list[LabelledImage],
) -> None:
    batches = StepBatches(images=images, recipe=recipe, stage=stage, seed=1)
    image_nhwc, labels_nhw = (tensor.numpy() for tensor in batches.draw(7))
    assert image_nhwc.shape == image_shape
    assert image_nhwc.dtype == np.uint8
    assert labels_nhw.shape == label_shape
    again = StepBatches(images=images, recipe=recipe, stage=stage, seed=1).draw(7)
    assert np.array_equal(again[0].numpy(), image_nhwc)
    assert np.array_equal(again[1].numpy(), labels_nhw)
    other = StepBatches(images=images, recipe=recipe, stage=stage, seed=2).draw(7)
    assert not np.array_equal(other[0].numpy(), image_nhwc)

    # Blocks are red on grey whatever the light: red pixels and vehicle labels must coincide.
    scale = label_shape[1] // image_shape[1]
    redness = image_nhwc[..., 0].astype(int) - image_nhwc[..., 1]
    share = labels_nhw.reshape(8, image_shape[1], scale, image_shape[2], scale).mean(axis=(2, 4))
    assert redness[share == 1].mean() > 40
    assert abs(redness[share == 0].mean()) < 15


def test_refine_views_near_vehicles(recipe: Recipe, images: list[LabelledImage]) -> None:
    def share_with_vehicle(near: float) -> float:
        changed = dataclasses.replace(
            recipe, refine=dataclasses.replace(recipe.refine, near_vehicles=near)
        )
        batches = StepBatches(images=images, recipe=changed, stage='refine', seed=0)
        found = [
            (batches.draw(step)[1].numpy() == 1).any(axis=(1, 2)).mean() for step in range(10)
        ]
        return float(np.mean(found))

    # An anchor on the outer side of a border may leave its vehicle just outside the view.
    assert share_with_vehicle(1.0) > 0.95
    assert share_with_vehicle(0.0) < 0.9


def test_batches_drawn_ahead_come_in_order(recipe: Recipe, images: list[LabelledImage]) -> None:
    batches = StepBatches(images=images, recipe=recipe, stage='coarse', seed=0)
    loaded = [labels.numpy() for _, labels in draw_ahead(batches, 3, 20)]
    for step, labels_nhw in zip(range(3, 20), loaded, strict=True):
        assert np.array_equal(labels_nhw, batches.draw(step)[1].numpy())


def test_an_error_while_drawing_reaches_the_training(
    recipe: Recipe, images: list[LabelledImage]
) -> None:
    broken = dataclasses.replace(images[0], anchors_yx=np.zeros((5, 3), np.int32))
    batches = StepBatches(images=[broken], recipe=recipe, stage='refine', seed=0)
    with pytest.raises(ValueError, match='broadcast'):
        next(draw_ahead(batches, 0, 4))
