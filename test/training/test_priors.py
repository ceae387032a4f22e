"""Tests of a refine network that sees what the coarse network says."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.tiny_training import RECIPE, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.cli import main
from stseg_ros.config import PipelineConfig
from stseg_ros.errors import ConfigError, DataError
from stseg_ros.records import Frame
from stseg_ros.training.batches import StepBatches
from stseg_ros.training.images import LabelledImage, load_images
from stseg_ros.training.prior_config import PriorConfig
from stseg_ros.training.priors import draw_folds
from stseg_ros.training.recipe import load_recipe

pytestmark = pytest.mark.torch

WITH_PRIOR = RECIPE.replace('max_regions: 8}', 'max_regions: 8, prior: true}').replace(
    'coarse:\n', 'priors: {folds: 2, steps: 20, variants: 2, drop: 0.0}\ncoarse:\n'
)


@pytest.fixture
def images(tmp_path: Path) -> list[LabelledImage]:
    recipe = load_recipe(write_recipe(tmp_path, WITH_PRIOR))
    return load_images(recipe, write_camvid(tmp_path), held_out=False)


def test_folds_are_even_and_divide_no_scene(images: list[LabelledImage]) -> None:
    many = [
        dataclasses.replace(image, name=f'{scene}_{copy}', scene=f'scene {scene}')
        for scene, image in enumerate(images)
        for copy in range(scene + 1)
    ]
    folds = draw_folds(many, 3, seed=1)
    parts_of_scene = {image.scene: set() for image in many}
    for image, fold in zip(many, folds, strict=True):
        parts_of_scene[image.scene].add(fold)
    assert all(len(parts) == 1 for parts in parts_of_scene.values())
    # Scenes of 1 to 6 images, 21 in all: three parts of 7 can be made.
    assert sorted(Counter(folds).values()) == [7, 7, 7]
    assert draw_folds(many, 3, seed=1) == folds


def test_a_view_carries_the_prior_of_its_place(tmp_path: Path) -> None:
    text = WITH_PRIOR.replace('refine:\n', 'refine:\n  augment: {colour: 0.0}\n')
    recipe = load_recipe(write_recipe(tmp_path, text))
    images = load_images(recipe, write_camvid(tmp_path), held_out=False)
    # A map that repeats the red channel at the coarse resolution must follow it in every view.
    flat = [
        dataclasses.replace(image, image_hwc=np.repeat(ramp, 3, axis=2))
        for image, ramp in zip(images, _ramps(images), strict=True)
    ]
    small = [
        image.image_hwc[..., 0].reshape(12, 8, 16, 8).mean(axis=(1, 3)).astype(np.uint8)
        for image in flat
    ]
    # What would be two features: the same from black to white, and half of it.
    priors = [np.stack([reds, 255 - reds, reds // 2])[None] for reds in small]
    batches = StepBatches(images=flat, recipe=recipe, stage='refine', seed=3, priors=priors)
    views_nhwc, _ = batches.draw(0)
    assert views_nhwc.shape[3] == 6
    reds = views_nhwc[..., 0].float()
    for channel, wanted in ((3, reds), (4, 255 - reds), (5, reds / 2)):
        difference = views_nhwc[..., channel].float() - wanted
        assert float(difference.abs().mean()) < 8


def test_a_view_without_a_prior_has_none_of_it(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, WITH_PRIOR.replace('drop: 0.0', 'drop: 1.0')))
    images = load_images(recipe, write_camvid(tmp_path), held_out=False)
    priors = [np.full((2, 3, 12, 16), 200, np.uint8) for _ in images]
    batches = StepBatches(images=images, recipe=recipe, stage='refine', seed=3, priors=priors)
    assert (batches.draw(0)[0][..., 3:] == 128).all()


def _ramps(images: list[LabelledImage]) -> list[np.ndarray]:
    height, width = images[0].image_hwc.shape[:2]
    rows = np.linspace(0, 120, height)[:, None, None]
    columns = np.linspace(0, 120, width)[None, :, None]
    return [(rows + columns + index).astype(np.uint8) for index in range(len(images))]


@pytest.mark.parametrize('features', [0, 3])
def test_from_recipe_to_a_bundle_that_runs(tmp_path: Path, features: int) -> None:
    text = WITH_PRIOR.replace('prior: true', f'prior: true, prior_features: {features}')
    recipe = write_recipe(tmp_path, text.replace('width: 8', 'width: 16'))
    data, run, bundle = write_camvid(tmp_path / 'data'), tmp_path / 'run', tmp_path / 'bundle'
    _name_two_drives(data)
    what = ['train', str(recipe), '--data', str(data), '--output', str(run), '--steps', '20']
    assert main(what) == 0
    assert {path.name for path in run.glob('*.pt')} >= {
        'coarse.pt', 'coarse_fold0.pt', 'coarse_fold1.pt', 'refine.pt',
    }  # fmt: skip
    assert main(['export', str(run), '--output', str(bundle), '--no-scores']) == 0

    read = ModelBundle.read(bundle)
    assert (read.geometry.prior, read.geometry.prior_features) == (True, features)
    card = (bundle / 'MODEL_CARD.md').read_text()
    assert (f'{features} features of its decoder' in card) == (features > 0)
    shared = read.manifest.provenance.get('features', {'shared': []})['shared']
    assert len(shared) == features
    segmenter = open_segmenter(read, PipelineConfig())
    image_hwc = np.random.default_rng(0).integers(0, 256, (100, 180, 3), np.uint8)
    result = segmenter.segment(Frame(image_hwc=image_hwc))
    segmenter.close()
    assert result.mask_hw.shape == (100, 180)
    assert len(result.selection) == 2


def _name_two_drives(data: Path) -> None:
    """Rename half of the images, so that they count as another scene."""
    for path in sorted((data / 'camvid').glob('train*/drive_[0-2].png')):
        path.rename(path.with_name(f'another_{path.name}'))


def test_one_scene_cannot_be_divided(images: list[LabelledImage]) -> None:
    with pytest.raises(DataError, match='6 training images are 1 scene, too few for 2 folds'):
        draw_folds(images, 2, seed=0)


@pytest.mark.parametrize('options', [{'folds': 1}, {'steps': 0}, {'variants': 0}, {'drop': 2.0}])
def test_impossible_settings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match='priors: '):
        PriorConfig(**options)
