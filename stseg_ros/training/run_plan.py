"""Which stages of a run are to be trained, from what its folder holds already."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stseg_ros.errors import ConfigError, DataError
from stseg_ros.training.prior_config import fold_of_stage
from stseg_ros.training.recipe import Recipe, load_recipe
from stseg_ros.training.run_state import state_path

RECIPE = 'recipe.yaml'
FACTS = 'run.yaml'


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What is to be done.

    Attributes:
        recipe: of the run; sections of stages that are not asked for stay as they were.
        finished: stages asked for that were trained before.
        resumed: stages to go on with.
        fresh: stages to start.
    """

    recipe: Recipe
    finished: tuple[str, ...]
    resumed: tuple[str, ...]
    fresh: tuple[str, ...]


def plan_run(
    recipe: Recipe, stages: tuple[str, ...], run_dir: Path, *, resume: bool, seed: int
) -> RunPlan:
    """Compare what is asked for with what the folder holds; nothing is written.

    Args:
        recipe: as given.
        stages: those asked for.
        run_dir: folder of the run, there or not.
        resume: whether to go on with what is there.
        seed: as given.

    Returns:
        The stages to train and how.

    Raises:
        ConfigError: a stage is there already and `resume` is not given, or recipe or seed are not
            those that the run was started with.
    """
    facts = facts_or_none(run_dir)
    finished = tuple(stage for stage in stages if stage in facts)
    resumed = tuple(
        stage for stage in stages if stage not in facts and state_path(run_dir, stage).is_file()
    )
    if (finished or resumed) and not resume:
        what = f'an unfinished {resumed[0]}' if resumed else f'a trained {finished[0]}'
        raise ConfigError(
            f'{run_dir} holds {what} network; give --resume to go on, or another --output'
        )
    for stage in finished:
        if facts[stage]['seed'] != seed:
            raise ConfigError(
                f'{run_dir} was trained with --seed {facts[stage]["seed"]}, not {seed}; give that'
            )
    if (run_dir / RECIPE).is_file():
        recipe = _joined(recipe, run_dir / RECIPE, stages, (*finished, *resumed))
    fresh = tuple(stage for stage in stages if stage not in (*finished, *resumed))
    return RunPlan(recipe=recipe, finished=finished, resumed=resumed, fresh=fresh)


def read_facts(run_dir: Path, stages: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read what a run noted about itself.

    Args:
        run_dir: folder of the run.
        stages: those that must have been trained to their end.

    Returns:
        `data_root`, and for each finished stage its seed, steps, minutes, images by data set and
        versions.

    Raises:
        DataError: the folder holds no run, or a stage is not finished.
    """
    facts = facts_or_none(run_dir)
    missing = [stage for stage in stages if stage not in facts]
    if not facts or missing:
        what = ' and '.join(missing) or 'no network'
        raise DataError(
            f'{run_dir} holds no finished training run ({FACTS} lists '
            f'{"no " + what if missing else what}); run `stseg train`'
        )
    return facts


def facts_or_none(run_dir: Path) -> dict[str, Any]:
    """Read what a run noted about itself, finished or not.

    Args:
        run_dir: folder of the run.

    Returns:
        As `read_facts`; empty where nothing is noted.
    """
    path = run_dir / FACTS
    if not path.is_file():
        return {}
    facts: dict[str, Any] = yaml.safe_load(path.read_text(encoding='utf-8'))
    return facts


def _joined(
    recipe: Recipe, saved_path: Path, stages: tuple[str, ...], kept: tuple[str, ...]
) -> Recipe:
    """Check what must not change, and keep the sections of stages that are not asked for."""
    saved = load_recipe(saved_path)
    for section in ('geometry', 'sources', 'priors', *kept):
        difference = _first_difference(
            _plain(_section(saved, section)), _plain(_section(recipe, section)), section
        )
        if difference:
            raise ConfigError(
                f'{saved_path.parent} was started with {difference}; give {saved_path} as the '
                'recipe, or another --output'
            )
    others: dict[str, Any] = {
        stage: saved.stage(stage)
        for stage in saved.stages
        if stage not in stages and fold_of_stage(stage) is None
    }
    return dataclasses.replace(recipe, **others)


def _section(recipe: Recipe, name: str) -> Any:
    return recipe.stage(name) if name in recipe.stages else getattr(recipe, name)


def _plain(section: Any) -> Any:
    """Turn records into mappings and sequences."""
    if isinstance(section, tuple):
        return [_plain(item) for item in section]
    if dataclasses.is_dataclass(section) and not isinstance(section, type):
        return dataclasses.asdict(section)
    return section


def _first_difference(saved: Any, given: Any, where: str) -> str:
    """Say in words where two settings part; empty where they do not."""
    if isinstance(saved, Mapping) and isinstance(given, Mapping):
        pairs = [(saved[key], given[key], f'{where}.{key}') for key in saved]
    elif isinstance(saved, list) and isinstance(given, list) and len(saved) == len(given):
        pairs = [
            (*both, f'{where}[{index}]')
            for index, both in enumerate(zip(saved, given, strict=True))
        ]
    else:
        return '' if saved == given else f'{where} {saved}, which is now {given}'
    found = (_first_difference(*pair) for pair in pairs)
    return next((difference for difference in found if difference), '')
