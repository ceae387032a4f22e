"""The labelled sets of the study."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from stseg_ros.datasets.vehicle_datasets import find_samples
from stseg_ros.measure.labelled_sets import (
    FIRST_SCENE_SEED,
    ImagesOnDisk,
    LabelledSet,
    SyntheticScenes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySet:
    """A labelled set.

    Attributes:
        title: what it is.
        dataset: data set, or 'synthetic'.
        split: its split.
        only: patterns of the names to take; empty takes all.
        video: whether its images follow each other closely.
        held_out: whether what is learned is fitted on this set when others are scored.
        first_seed: of synthetic scenes.
    """

    title: str
    dataset: str
    split: str = ''
    only: tuple[str, ...] = ()
    video: bool = False
    held_out: bool = False
    first_seed: int = FIRST_SCENE_SEED

    def load(self, data: Path, scenes: int) -> LabelledSet:
        """List the images.

        Args:
            data: folder with the data sets.
            scenes: number of synthetic scenes.

        Returns:
            The set, in the order of the names.

        Raises:
            DataError: the data set is missing or incomplete.
        """
        if self.dataset == 'synthetic':
            return SyntheticScenes(scenes, self.first_seed)
        samples = find_samples(self.dataset, data / self.dataset, self.split)
        patterns = self.only or ('*',)
        return ImagesOnDisk(
            [
                sample
                for sample in samples
                if any(fnmatchcase(sample.name, pattern) for pattern in patterns)
            ]
        )


SETS = (
    StudySet(title='CamVid val', dataset='camvid', split='val', video=True),
    StudySet(
        title='CamVid drive 0006R0, left out of training',
        dataset='camvid',
        split='train',
        only=('0006R0*',),
    ),
    StudySet(
        title='KITTI, a street held out of training',
        dataset='kitti',
        split='train',
        only=('00003[89]_10', '00004[0-2]_10'),
        held_out=True,
    ),
    StudySet(
        title='CamVid, ends of two drives held out of training',
        dataset='camvid',
        split='train',
        only=('0001TP_008[1-9]*', '0016E5_00[3-6]*'),
        held_out=True,
    ),
    StudySet(title='synthetic scenes', dataset='synthetic'),
    StudySet(title='BDD100K val, a smoke test', dataset='bdd100k', split='val'),
)

# What training held out to choose by, as `config/train/driving_small.yaml` names it.
HELD_OUT_SCENES = 10
_HELD_OUT_SEED = 900_000
HELD_OUT = (
    *(one for one in SETS if one.held_out),
    StudySet(title='synthetic scenes held out', dataset='synthetic', first_seed=_HELD_OUT_SEED),
)


def sets_to_learn_from(scored: StudySet) -> list[StudySet]:
    """List the sets that what is learned may be fitted on when a set is scored.

    Args:
        scored: the set.

    Returns:
        The held-out ones, but for those of the same data set where it is held out itself.
    """
    return [one for one in HELD_OUT if not (scored.held_out and one.dataset == scored.dataset)]
