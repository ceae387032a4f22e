"""Train one network of a recipe: a loop to read from top to bottom."""

from __future__ import annotations

import math

import torch

from stseg_ros.errors import StsegError
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.batches import StepBatches, draw_ahead
from stseg_ros.training.doubt import doubtful_places
from stseg_ros.training.learner import Learner
from stseg_ros.training.priors import out_of_fold_priors
from stseg_ros.training.processes import Processes
from stseg_ros.training.run_files import RGB, checkpoint_path, load_checkpoint
from stseg_ros.training.stage_job import StageJob, TrainedStage
from stseg_ros.training.stage_progress import StageProgress
from stseg_ros.training.stage_writer import StageWriter
from stseg_ros.training.stop_request import StopRequest


def train_stage(job: StageJob, processes: Processes, stop: StopRequest) -> TrainedStage:
    """Train one network and write its checkpoints, log and pictures.

    Args:
        job: the network, its data, and where to write.
        processes: those that train together; each calls this with the same job.
        stop: asks to save the state and end early.

    Returns:
        Where the weights are, their score, and where the time went.

    Raises:
        ConfigError: the processes cannot share the batch, or the network cannot start from the
            one that the recipe names.
        StsegError: the loss became infinite or not a number, or the state is not this run's.
    """
    config, first = job.config, processes.first
    processes.check_batch(config.batch)
    torch.manual_seed(job.seed)
    learner = Learner(config, processes, start=_start(job), inputs=job.inputs)
    progress = StageProgress(stage=job.stage, steps=config.steps, batch=config.batch, shown=first)
    writer = StageWriter(job, learner, progress, first=first)
    step = done = writer.begin()
    batches = draw_ahead(_own_batches(job, processes), done, config.steps)

    for step, batch in progress.over(batches, done):
        taken = learner.step(*batch)
        if not math.isfinite(taken.loss):
            raise StsegError(
                f'{job.stage}: loss is {taken.loss} at step {step}; lower learning_rate'
            )
        writer.note(step, taken)
        stopped = processes.any(flag=stop.signal_number > 0)
        if stopped or step % config.save_every == 0:
            writer.save_state(step)
        if stopped:
            break
    return writer.result(step)


def _start(job: StageJob) -> ImageNetwork | None:
    first = job.config.start_from
    if not first:
        return None
    return load_checkpoint(checkpoint_path(job.run_dir, first, job.recipe.export))[0]


def _own_batches(job: StageJob, processes: Processes) -> StepBatches:
    priors = None
    if job.inputs > RGB:
        priors = out_of_fold_priors(job.recipe, job.train, job.run_dir, job.seed)
    doubts_yx = None
    if job.config.near_doubt:
        doubts_yx = doubtful_places(job.recipe, job.train, job.run_dir, job.seed)
    return StepBatches(
        images=job.train,
        recipe=job.recipe,
        stage=job.stage,
        seed=job.seed,
        priors=priors,
        doubts_yx=doubts_yx,
        rank=processes.rank,
        processes=processes.count,
    )
