from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.tiny_training import RECIPE, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.errors import ConfigError, DataError
from stseg_ros.training import images as images_module
from stseg_ros.training.image_memory import ImageMemory
from stseg_ros.training.images import (
    LabelledImage,
    left_out_samples,
    load_images,
    source_samples,
)
from stseg_ros.training.recipe import Recipe, load_recipe, save_recipe

pytestmark = pytest.mark.torch

SOURCE = "  - {dataset: camvid, weight: 1.0, dev: ['held_*']}"


def recipe_of(folder: Path, *sources: str) -> Recipe:
    assert SOURCE in RECIPE
    lines = '\n'.join(f'  - {{{source}}}' for source in sources)
    return load_recipe(write_recipe(folder, RECIPE.replace(SOURCE, lines)))


def names(images: list[LabelledImage]) -> set[str]:
    return {image.name for image in images}


def write_folders(root: Path, count: int) -> None:
    for index in range(count):
        for folder, image in (
            ('rgb', np.full((16, 16, 3), index, np.uint8)),
            ('gt', np.full((16, 16), 5, np.uint8)),
        ):
            path = root / f'lesions/{folder}/{index:02}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), image)


def test_left_out_images_are_in_neither_part(tmp_path: Path) -> None:
    root = write_camvid(tmp_path)
    recipe = recipe_of(tmp_path, "dataset: camvid, dev: ['held_*'], leave_out: ['*_[01]']")
    assert names(load_images(recipe, root, held_out=False)) == {
        f'drive_{index}' for index in (2, 3, 4, 5)
    }
    # held_0 and held_1 match both; left out wins.
    assert load_images(recipe, root, held_out=True) == []
    (found,) = left_out_samples(recipe, root).items()
    assert found[0] == 'camvid'
    assert [sample.name for sample in found[1]] == ['drive_0', 'drive_1', 'held_0', 'held_1']


def test_nothing_left_out(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path))
    assert left_out_samples(recipe, write_camvid(tmp_path)) == {}


def test_one_source_may_not_train_on_what_another_leaves_out(tmp_path: Path) -> None:
    recipe = recipe_of(
        tmp_path, "dataset: camvid, leave_out: ['held_*']", "dataset: camvid, dev: ['drive_0']"
    )
    with pytest.raises(DataError, match="camvid: 'held_0' is left out by another source"):
        load_images(recipe, write_camvid(tmp_path), held_out=False)


def test_folders_train_from_a_recipe(tmp_path: Path) -> None:
    write_folders(tmp_path, 10)
    recipe = recipe_of(
        tmp_path,
        'dataset: folders, folder: lesions, weight: 2, leave_out_share: 0.3, dev_share: 0.2, '
        'files: {images: rgb, masks: gt, vehicle_ids: [5]}',
    )
    train = load_images(recipe, tmp_path, held_out=False)
    dev = load_images(recipe, tmp_path, held_out=True)
    left_out = left_out_samples(recipe, tmp_path)['lesions']
    assert (len(train), len(dev), len(left_out)) == (5, 2, 3)
    everything = names(train) | names(dev) | {sample.name for sample in left_out}
    assert everything == {f'{index:02}' for index in range(10)}
    assert {image.dataset for image in train} == {'lesions'}
    assert sum(image.weight for image in train) == pytest.approx(2.0)
    for image in train:
        assert (image.image_hwc == int(image.name)).all()
        assert (image.vehicle_hw == 1).all()


def test_a_recipe_with_all_of_it_is_saved_and_read(tmp_path: Path) -> None:
    recipe = recipe_of(
        tmp_path,
        'dataset: folders, folder: ph2, dev_share: 0.1, split_by: image, split_seed: 3, '
        "files: {images: '*/a/*', masks: '*/b/*', ignore_ids: [9], scene_pattern: '^x'}",
        "dataset: camvid, split: val, leave_out: ['a*']",
    )
    save_recipe(recipe, tmp_path / 'again.yaml')
    assert load_recipe(tmp_path / 'again.yaml') == recipe


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('dataset: camvid, files: {images: a}', 'camvid has places of its own; files is for'),
        ('dataset: camvid, dev: [a], dev_share: 0.1', 'give dev patterns or dev_share, not both'),
        ("dataset: folders, files: {images: '/a'}", "images is '/a'"),
    ],
)
def test_wrong_sources_are_named(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_of(tmp_path, source)


def test_other_splits_of_a_source(tmp_path: Path) -> None:
    root = write_camvid(tmp_path)
    (source,) = load_recipe(write_recipe(tmp_path)).sources
    assert [sample.name for sample in source_samples(source, root, 'val')] == ['val_0', 'val_1']
    assert len(source_samples(source, root)) == 8


def test_synthetic_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    recipe = recipe_of(tmp_path, 'dataset: synthetic, scenes: 2, dev_scenes: 1, size_hw: [48, 80]')
    for _ in range(2):  # rendered, then from the cache
        train = load_images(recipe, tmp_path, held_out=False)
        (dev,) = load_images(recipe, tmp_path, held_out=True)
        assert [image.name for image in train] == ['10000', '10001']
        for image in (*train, dev):
            scene = render_scene(int(image.name), (48, 80))
            assert np.array_equal(image.image_hwc, scene.image_hwc)
            assert np.array_equal(image.vehicle_hw, scene.mask_hw // 255)


def test_images_are_the_same_when_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    root, recipe = write_camvid(tmp_path), load_recipe(write_recipe(tmp_path))
    plenty = load_images(recipe, root, held_out=False)
    monkeypatch.setattr(images_module, 'ImageMemory', lambda: ImageMemory(60_000, 100_000))
    scarce = load_images(recipe, root, held_out=False)
    for one, other in zip(plenty, scarce, strict=True):
        assert one.name == other.name
        assert np.array_equal(one.image_hwc, other.image_hwc)
        assert np.array_equal(one.vehicle_hw, other.vehicle_hw)
