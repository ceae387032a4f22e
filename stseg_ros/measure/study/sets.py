"""The labelled sets of the study."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from stseg_ros.datasets.vehicle_datasets import find_samples
from stseg_ros.measure.labelled_sets import ImagesOnDisk, LabelledSet, SyntheticScenes


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySet:
    """A labelled set.

    Attributes:
        title: what it is.
        dataset: data set, or 'synthetic'.
        split: its split.
        only: patterns of the names to take; empty takes all.
        video: whether its images follow each other closely.
    """

    title: str
    dataset: str
    split: str = ''
    only: tuple[str, ...] = ()
    video: bool = False

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
            return SyntheticScenes(scenes)
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
    ),
    StudySet(
        title='CamVid, ends of two drives held out of training',
        dataset='camvid',
        split='train',
        only=('0001TP_008[1-9]*', '0016E5_00[3-6]*'),
    ),
    StudySet(title='synthetic scenes', dataset='synthetic'),
    StudySet(title='BDD100K val, a smoke test', dataset='bdd100k', split='val'),
)
