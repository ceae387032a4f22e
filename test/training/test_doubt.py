"""Tests of crops placed where the coarse network is in doubt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.tiny_training import RECIPE, write_camvid, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.cli import main
from stseg_ros.errors import ConfigError
from stseg_ros.training.batches import StepBatches
from stseg_ros.training.doubt import doubtful_places, draw_by_doubt
from stseg_ros.training.images import load_images
from stseg_ros.training.recipe import load_recipe

pytestmark = pytest.mark.torch

WITH_DOUBT = RECIPE.replace('refine:\n', 'refine:\n  near_vehicles: 0.0\n  near_doubt: 1.0\n')


def test_places_follow_the_doubt() -> None:
    # Sure everywhere but in two pixels: logits 0 (doubt 1) and 1 (doubt 0.538).
    logit_bytes = np.zeros((4, 8), np.uint8)
    logit_bytes[1, 2], logit_bytes[3, 7] = 128, 144
    many = [draw_by_doubt(logit_bytes, (400, 1600), np.random.default_rng(s)) for s in range(20)]
    y, x = np.concatenate(many).T
    first = (y // 100 == 1) & (x // 200 == 2)
    second = (y // 100 == 3) & (x // 200 == 7)
    # A byte of 0 still leaves a doubt of 0.0007 in each of the 30 others.
    assert (first | second).mean() > 0.97
    assert first.sum() / second.sum() == pytest.approx(1 / 0.538, rel=0.1)
    # Spread over the whole of a coarse pixel.
    assert np.ptp(y[first]) > 80
    assert np.ptp(x[first]) > 160


def test_views_are_placed_at_doubts(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, WITH_DOUBT))
    images = load_images(recipe, write_camvid(tmp_path), held_out=False)
    # Marked where the doubt is: every view must show some of it.
    marked = []
    for image in images:
        pixels = np.zeros_like(image.image_hwc)
        pixels[50:54, 70:74] = 255
        marked.append(dataclasses.replace(image, image_hwc=pixels))
    plain = dataclasses.replace(recipe.refine.augment, colour=0.0, zoom_low=1.0, zoom_high=1.0)
    recipe = dataclasses.replace(recipe, refine=dataclasses.replace(recipe.refine, augment=plain))
    doubts_yx = [np.array([[52, 72]], np.int32)] * len(marked)
    batches = StepBatches(
        images=marked, recipe=recipe, stage='refine', seed=3, doubts_yx=doubts_yx
    )
    views_nhwc = np.concatenate([batches.draw(step)[0].numpy() for step in range(6)])
    shown = views_nhwc.max(axis=(1, 2, 3)) > 100
    assert shown.mean() > 0.95
    # And not always in the same place.
    rows = [np.flatnonzero(view.max(axis=(1, 2)) > 100).mean() for view in views_nhwc[shown]]
    assert np.ptp(rows) > 20


def test_a_run_asks_its_coarse_network(tmp_path: Path) -> None:
    path, root, run = write_recipe(tmp_path, WITH_DOUBT), write_camvid(tmp_path), tmp_path / 'run'
    command = ['train', str(path), '--data', str(root), '--output', str(run), '--steps', '4']
    assert main(command) == 0
    recipe = load_recipe(path)
    images = load_images(recipe, root, held_out=False)
    places = doubtful_places(recipe, images, run, seed=0)
    assert len(places) == len(images)
    for image, place_yx in zip(images, places, strict=True):
        assert (place_yx >= 0).all()
        assert (place_yx < image.image_hwc.shape[:2]).all()
    again = doubtful_places(recipe, images, run, seed=0)
    assert all(np.array_equal(first, second) for first, second in zip(places, again, strict=True))


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('near_doubt: 1.0', 'near_doubt: 1.2', 'no more than 1 together'),
        ('near_vehicles: 0.0', 'near_vehicles: 0.5', 'no more than 1 together'),
        ('coarse:\n', 'coarse:\n  near_vehicles: 0.0\n  near_doubt: 0.5\n', 'for refine only'),
    ],
)
def test_wrong_shares_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(write_recipe(tmp_path, WITH_DOUBT.replace(old, new)))
