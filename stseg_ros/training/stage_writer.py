"""What a stage in training writes: log, scores, pictures, weights and its state."""

from __future__ import annotations

import math

from stseg_ros.measure.pixel_metrics import dice
from stseg_ros.training.curves import draw_curves
from stseg_ros.training.held_out import draw_preview, score_held_out
from stseg_ros.training.learner import Learner, StepTaken
from stseg_ros.training.run_files import checkpoint_path, save_checkpoint
from stseg_ros.training.run_log import RunLog
from stseg_ros.training.run_state import (
    Standing,
    fingerprint,
    load_state,
    save_state,
    state_path,
)
from stseg_ros.training.stage_job import StageJob, TrainedStage
from stseg_ros.training.stage_progress import StageProgress


class StageWriter:
    """Writes a stage's files, in the first of the processes that train together."""

    def __init__(
        self, job: StageJob, learner: Learner, progress: StageProgress, *, first: bool
    ) -> None:
        """Open the log.

        Args:
            job: what is trained, and where to write.
            learner: the network; its state is saved and restored.
            progress: its clock is saved and restored, and its bar shows loss and score.
            first: whether this process writes; all others only restore.
        """
        self._job = job
        self._learner = learner
        self._progress = progress
        self._images = fingerprint(job.train + job.dev)
        self._coarse = job.coarse()
        self._dev_dice = math.nan
        self._best_dice = math.nan
        self._log = RunLog(job.run_dir, job.stage, tensorboard=job.tensorboard) if first else None

    def begin(self) -> int:
        """Restore the state where the job is to be resumed.

        Returns:
            Steps taken by then.

        Raises:
            StsegError: the state is not this run's.
        """
        if not self._job.resume:
            # A run that is killed before its first state would log its first steps twice.
            self.save_state(0)
            return 0
        path = state_path(self._job.run_dir, self._job.stage)
        standing = load_state(path, self._learner, seed=self._job.seed, images=self._images)
        self._progress.seconds = standing.seconds
        self._progress.waiting_s = standing.waiting_s
        self._dev_dice, self._best_dice = standing.dev_dice, standing.best_dice
        if self._log:
            self._log.go_back(standing.log_bytes, standing.log_losses, standing.log_mean_loss)
        return standing.step

    def note(self, step: int, taken: StepTaken) -> None:
        """Log a step; score and save the weights where one is due.

        Args:
            step: counted from 1.
            taken: what the step gave.
        """
        if self._log is None:
            return
        self._log.add_step(step, taken)
        self._progress.show(self._log.mean_loss, self._dev_dice)
        config = self._job.config
        if step % config.dev_every == 0 or step == config.steps:
            self._dev_dice = self._score()
            self._log.add_dev(step, self._dev_dice)
            draw_curves(self._job.run_dir)
            # Of equal scores the later one wins, so that without held-out images best is last.
            if not self._dev_dice < self._best_dice:
                self._best_dice = self._dev_dice
                self._save_weights('best', step)
            self._save_weights('last', step)

    def save_state(self, step: int) -> None:
        """Save all that the next step depends on.

        Args:
            step: steps taken.
        """
        job, log = self._job, self._log
        if log is None:
            return
        standing = Standing(
            seed=job.seed,
            images=self._images,
            step=step,
            dev_dice=self._dev_dice,
            best_dice=self._best_dice,
            seconds=self._progress.seconds,
            waiting_s=self._progress.waiting_s,
            log_bytes=log.path.stat().st_size,
            log_losses=log.losses,
            log_mean_loss=log.mean_loss,
        )
        save_state(state_path(job.run_dir, job.stage), self._learner, standing)

    def result(self, step: int) -> TrainedStage:
        """Sum up the stage.

        Args:
            step: steps taken.

        Returns:
            Where the weights are, their score, and where the time went.
        """
        job = self._job
        return TrainedStage(
            checkpoint_path=checkpoint_path(job.run_dir, job.stage, job.recipe.export),
            dev_dice=self._best_dice if job.recipe.export == 'best' else self._dev_dice,
            step=step,
            seconds=self._progress.seconds,
            waiting_share=self._progress.waiting_share,
            finished=step == job.config.steps,
        )

    def _score(self) -> float:
        """Score the network alone on the held-out images, and draw some of them."""
        job, model = self._job, self._learner.result.eval()
        preview = job.run_dir / f'preview_{job.stage}.png'
        draw_preview(model, job.dev, job.recipe, job.stage, preview, self._coarse)
        return dice(score_held_out(model, job.dev, job.recipe, job.stage, self._coarse))

    def _save_weights(self, which: str, step: int) -> None:
        job = self._job
        save_checkpoint(
            checkpoint_path(job.run_dir, job.stage, which),
            self._learner.result,
            job.config.network,
            stage=job.stage,
            step=step,
            dev_dice=self._dev_dice,
        )
