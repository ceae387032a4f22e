"""A training run: recipe and data in, a folder with weights, log and previews out."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from stseg_ros.errors import ConfigError, DataError
from stseg_ros.training.images import LabelledImage, load_images
from stseg_ros.training.recipe import STAGES, Recipe, load_recipe, save_recipe
from stseg_ros.training.trainer import StageJob, TrainedStage, has_fast_bfloat16, train_stage

RECIPE = 'recipe.yaml'
FACTS = 'run.yaml'


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What `stseg train` was asked for.

    Attributes:
        recipe_path: the YAML file.
        data_root: folder with one folder per data set.
        run_dir: where to write; made if missing.
        stages: 'coarse', 'refine' or both, in order.
        steps: optimiser steps of each stage instead of the recipe's; None keeps those.
        seed: fixes weights and batches.
        threads: CPU threads of PyTorch; 0 leaves its default.
    """

    recipe_path: Path
    data_root: Path
    run_dir: Path
    stages: tuple[str, ...] = STAGES
    steps: int | None = None
    seed: int = 0
    threads: int = 0


def train_run(request: RunRequest) -> dict[str, TrainedStage]:
    """Train the stages asked for.

    Args:
        request: recipe, data and where to write.

    Returns:
        The result of each stage by its name.

    Raises:
        ConfigError: the recipe is wrong, or the steps are.
        DataError: a data set is missing or incomplete.
        StsegError: training diverged.
    """
    recipe = _with_steps(load_recipe(request.recipe_path), request.steps)
    if request.threads:
        torch.set_num_threads(request.threads)
    train = load_images(recipe, request.data_root, held_out=False)
    dev = load_images(recipe, request.data_root, held_out=True)
    request.run_dir.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, request.run_dir / RECIPE)
    results = {}
    for stage in request.stages:
        started = time.monotonic()
        job = StageJob(
            recipe=recipe,
            stage=stage,
            train=train,
            dev=dev,
            run_dir=request.run_dir,
            seed=request.seed,
        )
        results[stage] = train_stage(job)
        minutes = round((time.monotonic() - started) / 60.0, 1)
        facts = {'steps': recipe.stage(stage).steps, 'minutes': minutes, 'images': _count(train)}
        _note_facts(request, stage, facts)
    return results


def read_facts(run_dir: Path) -> dict[str, Any]:
    """Read what a run noted about itself.

    Args:
        run_dir: folder of the run.

    Returns:
        `data_root`, and for each stage its seed, steps, minutes, images by data set and versions.

    Raises:
        DataError: the folder holds no finished run.
    """
    path = run_dir / FACTS
    if not path.is_file():
        raise DataError(
            f'{run_dir} holds no finished training run (no {FACTS}); run `stseg train`'
        )
    facts: dict[str, Any] = yaml.safe_load(path.read_text(encoding='utf-8'))
    return facts


def _count(images: list[LabelledImage]) -> dict[str, int]:
    return dict(Counter(image.dataset for image in images))


def _note_facts(request: RunRequest, stage: str, facts: dict[str, Any]) -> None:
    path = request.run_dir / FACTS
    content = read_facts(request.run_dir) if path.is_file() else {}
    content['data_root'] = str(request.data_root.resolve())
    content[stage] = {
        'seed': request.seed,
        **facts,
        'torch': str(torch.__version__),
        'python': platform.python_version(),
        'threads': torch.get_num_threads(),
        'arithmetic': 'bfloat16 mixed' if has_fast_bfloat16() else 'float32',
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')


def _with_steps(recipe: Recipe, steps: int | None) -> Recipe:
    if steps is None:
        return recipe
    if steps < 1:
        raise ConfigError(f'--steps is {steps}; give 1 or more')
    return dataclasses.replace(
        recipe,
        coarse=dataclasses.replace(recipe.coarse, steps=steps),
        refine=dataclasses.replace(recipe.refine, steps=steps),
    )
