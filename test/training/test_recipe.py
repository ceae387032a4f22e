from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_training import RECIPE, WHOLE, write_recipe

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle
from stseg_ros.errors import ConfigError
from stseg_ros.training.recipe import load_recipe, save_recipe

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / 'config' / 'train').glob('*.yaml'))


def test_reads_values_and_defaults(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path))
    assert recipe.geometry.coarse_hw == (16, 32)
    assert recipe.geometry.region_hw == (64, 64)
    assert recipe.sources[0].dev == ('held_*',)
    assert recipe.stage('coarse').supervise_at == 2
    assert recipe.stage('refine').supervise_at == 1
    assert recipe.refine.network.width == 8


def test_a_recipe_has_the_stages_that_it_names(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path))
    assert recipe.stages == ('coarse', 'refine')
    with pytest.raises(ConfigError, match="recipe tiny has no stage 'whole', only coarse, refine"):
        recipe.stage('whole')
    recipe = load_recipe(write_recipe(tmp_path, RECIPE + WHOLE))
    assert recipe.stages == ('coarse', 'refine', 'whole')
    assert recipe.stage('whole').view_hw == (64, 128)
    assert recipe.export == 'best'


def test_saving_keeps_everything(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, RECIPE + WHOLE))
    save_recipe(recipe, tmp_path / 'again.yaml')
    assert load_recipe(tmp_path / 'again.yaml') == recipe


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_are_right(path: Path) -> None:
    assert load_recipe(path).name == path.stem


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('regions: 2', 'regoins: 2', "unknown key 'regoins'; did you mean 'regions'"),
        ('steps: 60', 'steps: 0', 'steps is 0 and epochs is 0; give one of them'),
        ('steps: 60', 'steps: 60\n  epochs: 2', 'steps is 60 and epochs is 2; give one of them'),
        ('steps: 60', 'epochs: -2', 'epochs is -2'),
        ('batch: 8', 'batch: 0', 'batch is 0; give 1 or more'),
        ('steps: 60', 'steps: 60\n  ema: 1.0', 'ema is 1.0; give a decay in'),
        ('steps: 60', 'steps: 60\n  clip_norm: -1', 'clip_norm is -1'),
        (
            'steps: 60',
            'steps: 60\n  optimizer: sgd',
            "unknown optimizer 'sgd'; give one of adamw, adam",
        ),
        (
            'steps: 60',
            'steps: 60\n  schedule: linear',
            "unknown schedule 'linear'; give one of cosine, constant",
        ),
        ('steps: 60', 'steps: 60\n  start_from: whole', "unknown start_from 'whole'"),
        ('steps: 60', 'steps: 60\n  start_from: refine', 'coarse cannot start from refine'),
        ('regions: 2', 'regions: 2\nexport: first', "unknown export 'first'"),
        ('regions: 2', 'regions: 2\nselector: dice', "unknown selector 'dice'; give one of grid"),
        ('steps: 60', 'steps: many', 'expected int'),
        (
            'supervise_at: 2',
            'loss: focal',
            "unknown loss 'focal'; give one of focal_dice, bce_dice",
        ),
        ('weight: 1.0', 'weight: 0', 'none has a weight above 0'),
        ('weight: 1.0', 'weight: -1', 'weight of camvid is -1'),
        ('dataset: camvid', 'dataset: synthetic', 'no scenes'),
        ('grid: [2, 4]', 'grid: [3, 4]', 'not a multiple'),
        ('regions: 2', 'regions: 9', 'regions is 9; give 0 to max_regions, 8'),
        ('width: 8', 'width: 5', 'network width is 5'),
    ],
)
def test_names_what_is_wrong(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(write_recipe(tmp_path, RECIPE.replace(old, new, 1)))


def test_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'nothing\.yaml'):
        load_recipe(tmp_path / 'nothing.yaml')


def test_the_shipped_bundle_recommends_what_its_recipe_says() -> None:
    recipe = load_recipe(ROOT / 'config' / 'train' / f'{DEFAULT_BUNDLE}.yaml')
    recommended = ModelBundle.read(ROOT / 'models' / DEFAULT_BUNDLE).manifest.recommended
    assert (recommended.regions, recommended.selector) == (recipe.regions, recipe.selector)
