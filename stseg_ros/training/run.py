"""A training run: recipe and data in, a folder with weights, logs and pictures out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from stseg_ros.errors import ConfigError
from stseg_ros.training.environment import describe_environment
from stseg_ros.training.features import add_features, check_room
from stseg_ros.training.images import LabelledImage, load_images
from stseg_ros.training.prior_config import fold_of_stage
from stseg_ros.training.priors import draw_folds
from stseg_ros.training.processes import Processes, join_processes
from stseg_ros.training.recipe import Recipe, load_recipe, save_recipe
from stseg_ros.training.run_plan import FACTS, RECIPE, RunPlan, facts_or_none, plan_run
from stseg_ros.training.run_state import state_path
from stseg_ros.training.stage_job import StageJob, TrainedStage
from stseg_ros.training.stop_request import StopRequest, catch_stop_requests
from stseg_ros.training.trainer import train_stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What `stseg train` was asked for.

    Attributes:
        recipe_path: the YAML file.
        data_root: folder with one folder per data set.
        run_dir: where to write; made if missing.
        stages: which of the recipe's stages; none for all of them.
        steps: optimiser steps of each stage instead of the recipe's; None keeps those.
        seed: fixes weights and batches.
        threads: CPU threads of PyTorch; 0 leaves its default.
        device: see `choose_arithmetic`.
        resume: go on with what the folder holds.
        tensorboard: log for TensorBoard too.
    """

    recipe_path: Path
    data_root: Path
    run_dir: Path
    stages: tuple[str, ...] = ()
    steps: int | None = None
    seed: int = 0
    threads: int = 0
    device: str = 'auto'
    resume: bool = False
    tensorboard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of it.

    Attributes:
        trained: by name the stages that were trained now; the last one may be unfinished.
        finished_before: stages that were asked for and had been trained earlier.
        stopped_by: the signal that ended the run early; 0 for none.
        first: whether this process is the one that writes, of those that train together.
    """

    trained: dict[str, TrainedStage]
    finished_before: tuple[str, ...]
    stopped_by: int
    first: bool


def train_run(request: RunRequest) -> RunResult:
    """Train the stages asked for.

    Args:
        request: recipe, data and where to write.

    Returns:
        The result of each stage.

    Raises:
        ConfigError: recipe, steps or device are wrong, or do not fit what the folder holds.
        DataError: a data set is missing or incomplete.
        StsegError: training diverged, or the state of the run cannot be read.
    """
    recipe = load_recipe(request.recipe_path)
    stages = _ordered(recipe, request.stages)
    recipe = _with_steps(recipe, stages, request.steps)
    check_room(recipe)
    if request.threads:
        torch.set_num_threads(request.threads)
    with join_processes(request.device) as processes:
        plan = plan_run(recipe, stages, request.run_dir, resume=request.resume, seed=request.seed)
        if not (plan.resumed or plan.fresh):
            return RunResult(
                trained={},
                finished_before=plan.finished,
                stopped_by=0,
                first=processes.first,
            )
        train = load_images(recipe, request.data_root, held_out=False)
        dev = load_images(recipe, request.data_root, held_out=True)
        # No process may find what the first one is about to write.
        processes.wait()
        if processes.first:
            request.run_dir.mkdir(parents=True, exist_ok=True)
            save_recipe(plan.recipe, request.run_dir / RECIPE)
        processes.wait()
        with catch_stop_requests() as stop:
            trained = _train_stages(request, plan, (train, dev), processes, stop)
        finished = all(stage.finished for stage in trained.values())
        return RunResult(
            trained=trained,
            finished_before=plan.finished,
            stopped_by=0 if finished else stop.signal_number,
            first=processes.first,
        )


def _train_stages(
    request: RunRequest,
    plan: RunPlan,
    images: tuple[list[LabelledImage], list[LabelledImage]],
    processes: Processes,
    stop: StopRequest,
) -> dict[str, TrainedStage]:
    train, dev = images
    environment = describe_environment(processes)
    trained = {}
    for stage in (*plan.resumed, *plan.fresh):
        job = StageJob(
            recipe=_with_epochs_as_steps(plan.recipe, stage, len(train)),
            stage=stage,
            train=_own_images(plan.recipe, stage, train, request.seed),
            dev=dev,
            run_dir=request.run_dir,
            seed=request.seed,
            resume=stage in plan.resumed,
            tensorboard=request.tensorboard,
        )
        if processes.first:
            _note(request, f'environment_{stage}', environment)
            if stage == 'refine' and plan.recipe.geometry.prior_features and not job.resume:
                shared = add_features(plan.recipe, train, request.run_dir, request.seed)
                _note(request, 'features', {'shared': [round(share, 4) for share in shared]})
        # No process may find the networks that it follows half written.
        processes.wait()
        trained[stage] = train_stage(job, processes, stop)
        if not trained[stage].finished:
            break
        if processes.first:
            _note(request, stage, _facts(job, trained[stage], processes))
            state_path(request.run_dir, stage).unlink(missing_ok=True)
    return trained


def _own_images(
    recipe: Recipe, stage: str, images: list[LabelledImage], seed: int
) -> list[LabelledImage]:
    without = fold_of_stage(stage)
    if without is None:
        return images
    folds = draw_folds(images, recipe.priors.folds, seed)
    return [image for image, fold in zip(images, folds, strict=True) if fold != without]


def _facts(job: StageJob, trained: TrainedStage, processes: Processes) -> dict[str, Any]:
    """Collect what a finished stage is known by, from then on."""
    config = job.config
    return {
        'seed': job.seed,
        'steps': config.steps,
        'minutes': round(trained.seconds / 60.0, 1),
        'images_per_s': round(config.steps * config.batch / trained.seconds, 1),
        'waiting_for_data': round(trained.waiting_share, 4),
        'images': dict(Counter(image.dataset for image in job.train)),
        'held_out_images': dict(Counter(image.dataset for image in job.dev)),
        'arithmetic': str(processes.arithmetic),
        'processes': processes.count,
        'threads': torch.get_num_threads(),
        'torch': str(torch.__version__),
    }


def _note(request: RunRequest, name: str, values: dict[str, Any]) -> None:
    """Add a section to the run's facts, whole or not at all."""
    path = request.run_dir / FACTS
    content = facts_or_none(request.run_dir)
    content['data_root'] = str(request.data_root.resolve())
    content[name] = values
    part = path.with_suffix('.part')
    part.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    part.replace(path)


def _ordered(recipe: Recipe, stages: tuple[str, ...]) -> tuple[str, ...]:
    """Bring stages into the recipe's order; it raises if one is not in it."""
    for stage in stages:
        recipe.stage(stage)
    return tuple(stage for stage in recipe.stages if stage in (stages or recipe.stages))


def _with_steps(recipe: Recipe, stages: tuple[str, ...], steps: int | None) -> Recipe:
    if steps is None:
        return recipe
    if steps < 1:
        raise ConfigError(f'--steps is {steps}; give 1 or more')
    changed: dict[str, Any] = {
        stage: dataclasses.replace(recipe.stage(stage), steps=steps, epochs=0)
        for stage in stages
        if fold_of_stage(stage) is None
    }
    changed['priors'] = dataclasses.replace(recipe.priors, steps=steps)
    return dataclasses.replace(recipe, **changed)


def _with_epochs_as_steps(recipe: Recipe, stage: str, images: int) -> Recipe:
    config = recipe.stage(stage)
    if not config.epochs:
        return recipe
    steps = config.epochs * -(-images // config.batch)
    changed: dict[str, Any] = {stage: dataclasses.replace(config, steps=steps, epochs=0)}
    return dataclasses.replace(recipe, **changed)
