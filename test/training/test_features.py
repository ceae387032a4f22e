"""Tests of coarse networks that give features of their decoders."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.tiny_training import RECIPE, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.networks.architectures import NetworkConfig
from stseg_ros.networks.image_network import ImageNetwork, network_logits
from stseg_ros.training.features import add_features, check_room
from stseg_ros.training.images import LabelledImage, load_images
from stseg_ros.training.priors import coarse_planes, draw_folds, load_coarse, out_of_fold_priors
from stseg_ros.training.recipe import Recipe, load_recipe
from stseg_ros.training.run import RunRequest, train_run
from stseg_ros.training.run_files import (
    build_model,
    checkpoint_path,
    load_checkpoint,
    save_checkpoint,
)

pytestmark = pytest.mark.torch

NETWORK = NetworkConfig(architecture='residual_fpn', width=8, norm='batch')
STAGES = ('coarse', 'coarse_fold0', 'coarse_fold1')
TEXT = (
    RECIPE.replace('max_regions: 8}', 'max_regions: 8, prior: true, prior_features: 2}')
    .replace('coarse:\n', 'priors: {folds: 2, steps: 20, variants: 2, drop: 0.0}\ncoarse:\n')
    .replace('width: 8, norm: none', 'architecture: residual_fpn, width: 8, norm: batch')
)


def shuffled(model: ImageNetwork, seed: int) -> ImageNetwork:
    """Make a network that computes the same, with the channels of its last map in other places."""
    copy = build_model(NETWORK, inputs=3)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
    for name in list(state):
        if name.startswith('network.merges.2.smooth.') and state[name].ndim:
            state[name] = state[name][order]
    state['network.head.weight'] = state['network.head.weight'][:, order]
    copy.load_state_dict(state)
    return copy.eval()


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(write_recipe(tmp_path, TEXT))


@pytest.fixture
def images(recipe: Recipe, tmp_path: Path) -> list[LabelledImage]:
    data = write_camvid(tmp_path / 'data')
    for path in sorted((data / 'camvid').glob('train*/drive_[0-2].png')):
        path.rename(path.with_name(f'another_{path.name}'))
    return load_images(recipe, data, held_out=False)


def write_networks(run: Path, *, alike: bool) -> ImageNetwork:
    """Write the three coarse networks of a run, and return the first."""
    run.mkdir()
    torch.manual_seed(1)
    main = build_model(NETWORK, inputs=3).eval()
    for seed, stage in enumerate(STAGES):
        torch.manual_seed(10 + seed)
        other = shuffled(main, seed) if alike else build_model(NETWORK, inputs=3).eval()
        model = main if stage == 'coarse' else other
        save_checkpoint(checkpoint_path(run, stage), model, NETWORK, stage=stage, step=7)
    return main


def test_features_are_found_again_in_networks_that_compute_the_same(
    recipe: Recipe, images: list[LabelledImage], tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    write_networks(run, alike=True)
    shared = add_features(recipe, images, run, seed=0)
    assert len(shared) == 2
    assert min(shared) > 0.95
    models = [load_coarse(recipe, run, stage) for stage in STAGES]
    for image in images:
        main, *others = (coarse_planes(it, image.image_hwc, recipe.geometry) for it in models)
        assert main.shape == (3, 16, 32)
        assert main[1:].std() > 16
        for other in others:
            np.testing.assert_array_equal(other[0], main[0])
            # Steps of 1/16; what is nearly alike is made a little smaller, and spread again.
            assert np.abs(other[1:].astype(int) - main[1:]).mean() < 4


def test_the_logits_stay_what_they_were(
    recipe: Recipe, images: list[LabelledImage], tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    main = write_networks(run, alike=False)
    shared = add_features(recipe, images, run, seed=0)
    assert list(shared) == sorted(shared, reverse=True)
    assert 0.0 <= shared[-1] <= shared[0] <= 1.0
    with_features, facts = load_checkpoint(run / 'coarse.features.pt')
    assert (with_features.features, facts['stage'], facts['step']) == (2, 'coarse', 7)
    assert load_checkpoint(run / 'coarse.pt')[0].features == 0
    batch = np.random.default_rng(2).integers(0, 256, (1, 16, 32, 3), np.uint8)
    planes = network_logits(with_features, batch)
    assert planes.shape == (1, 3, 16, 32)
    np.testing.assert_array_equal(planes[:, 0], network_logits(main, batch))


def test_priors_are_logits_and_features_of_the_network_that_did_not_see_the_image(
    recipe: Recipe, images: list[LabelledImage], tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    write_networks(run, alike=False)
    add_features(recipe, images, run, seed=0)
    priors = out_of_fold_priors(recipe, images, run, seed=0)
    folds = draw_folds(images, 2, seed=0)
    assert set(folds) == {0, 1}
    for image, fold, planes_vphw in zip(images, folds, priors, strict=True):
        assert planes_vphw.shape == (2, 3, 16, 32)
        model = load_checkpoint(run / f'coarse_fold{fold}.features.pt')[0]
        expected = coarse_planes(model, image.image_hwc, recipe.geometry)
        np.testing.assert_array_equal(planes_vphw[0], expected)


def test_features_that_were_not_made_are_missed(recipe: Recipe, tmp_path: Path) -> None:
    run = tmp_path / 'run'
    write_networks(run, alike=False)
    with pytest.raises(StsegError, match=r'coarse\.features\.pt is not there'):
        load_coarse(recipe, run)


def test_a_narrow_network_has_no_room_for_many(
    images: list[LabelledImage], tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    write_networks(run, alike=False)
    many = load_recipe(
        write_recipe(tmp_path, TEXT.replace('prior_features: 2', 'prior_features: 5'))
    )
    with pytest.raises(ConfigError, match='give at most 4, or a wider network'):
        add_features(many, images, run, seed=0)


def test_it_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, TEXT.replace('prior_features: 2', 'prior_features: 5'))
    request = RunRequest(recipe_path=path, data_root=tmp_path / 'none', run_dir=tmp_path / 'run')
    with pytest.raises(ConfigError, match='give at most 4, or a wider network'):
        train_run(request)
    assert not (tmp_path / 'run').exists()


def test_without_features_the_narrowest_network_will_do(recipe: Recipe) -> None:
    geometry = dataclasses.replace(recipe.geometry, prior_features=0)
    narrow = dataclasses.replace(recipe.coarse, network=dataclasses.replace(NETWORK, width=2))
    check_room(dataclasses.replace(recipe, geometry=geometry, coarse=narrow))
