"""An evaluation of bundles on one labelled set: scores, pictures, and the document of both."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2

from stseg_ros.errors import DataError
from stseg_ros.measure import boundary_metrics, object_metrics
from stseg_ros.measure.candidates import COARSE, TWO_STAGE, WHOLE, Candidate, list_candidates
from stseg_ros.measure.compute_cost import bundle_cost
from stseg_ros.measure.evaluate import (
    BundleUnderTest,
    CandidateScore,
    LabelledFrame,
    score_candidates,
)
from stseg_ros.measure.labelled_sets import LabelledSet
from stseg_ros.measure.score_pictures import (
    PICTURE_LABELS,
    ShownResult,
    choose_pictures,
    draw_comparison,
)
from stseg_ros.measure.score_rows import full_row, image_rows
from stseg_ros.records import Frame

SCHEMA = 1
CONVENTIONS = {
    'scores': "pooled over all pixels that are not ignored, at the images' own size",
    'soft_dice': '2 sum(p t) / (sum(p) + sum(t))',
    'mean_image_dice': "mean of the images' Dice; 1 where neither mask nor truth has a vehicle",
    'best_threshold': 'chosen on the very images it is scored on: a bound, not a score',
    'boundary': 'Boundary IoU (Cheng et al., 2021) and the Dice of the same bands, '
    f'{boundary_metrics.BAND_SHARE:.2%} of the diagonal wide',
    'by_size': f'8-connected components of the truth {object_metrics.SIZE_CONVENTION}; recall: '
    'share of their pixels found; hit_rate: share of components at least half found',
    'false_alarms_per_image': 'components of the mask, from 0.01 % of the image on, that hold no '
    'vehicle pixel',
    'macs': 'multiply-accumulates of convolutions and matrix products per frame; a transposed '
    'convolution counts its input positions; two_stage is coarse + mean_regions x refine',
    'paper_flops': 'F F Cin Hout Wout Cout for every convolution, transposed ones too '
    '(Teixeira e Silva et al., 2022)',
    'parameters': 'weights and biases of convolutions and matrix products, norms merged',
}

# What a run of the networks may depend on.
_PACKAGES = ('stseg_ros', 'numpy', 'opencv-python-headless', 'onnxruntime', 'openvino')


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """What was scored on.

    Attributes:
        dataset: name of the data set.
        split: its split; empty where it has none.
        only: pattern of the names that were taken; empty for all.
        notes: what a reader of the scores has to know.
    """

    dataset: str
    split: str = ''
    only: str = ''
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The set in few words."""
        return ' '.join(part for part in (self.dataset, self.split, self.only) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEvaluation:
    """What one bundle scored.

    Attributes:
        name: the bundle's name.
        chosen_regions: the number of regions that its pictures and ring in the figure show.
        facts: geometry, backend and settings.
        rows: results of each mode, see `score_rows.full_row`.
        images: results of each image by mode.
    """

    name: str
    chosen_regions: int
    facts: dict[str, Any]
    rows: list[dict[str, Any]]
    images: list[dict[str, Any]] = field(default_factory=list)


class Evaluation:
    """One bundle on one labelled set."""

    def __init__(
        self, subject: BundleUnderTest, images: LabelledSet, regions: Sequence[int]
    ) -> None:
        """Plan the modes.

        Args:
            subject: the opened bundle.
            images: the labelled set.
            regions: numbers of regions to refine, at least one, each above 0.
        """
        self._subject = subject
        self._images = images
        wanted = subject.settings.regions
        self._chosen_regions = min(regions, key=lambda count: (abs(count - wanted), count))
        self._candidates = list_candidates(subject.settings, regions, whole=subject.has_whole)
        self._scores: list[CandidateScore] = []

    def score(self, on_image: Callable[[], object]) -> BundleEvaluation:
        """Score every mode on every image.

        Args:
            on_image: called after each image.

        Returns:
            All figures.

        Raises:
            StsegError: an image cannot be read, a network failed, or its cost cannot be counted.
        """
        bundle, segmenter = self._subject.bundle, self._subject.segmenter
        cost = bundle_cost(bundle)
        self._scores = score_candidates(self._subject, self._load_all(on_image), self._candidates)
        origin = {'bundle': bundle.name, 'grid': list(bundle.geometry.grid)}
        return BundleEvaluation(
            name=bundle.name,
            chosen_regions=self._chosen_regions,
            facts={
                'name': bundle.name,
                'working_hw': list(bundle.geometry.working_hw),
                'grid': list(bundle.geometry.grid),
                'backend': segmenter.backend,
                'device': segmenter.device,
                'threshold': self._subject.settings.threshold,
                'fusion': self._subject.settings.fusion,
                'selector': self._subject.selector,
            },
            rows=[origin | full_row(score, cost) for score in self._scores],
            images=[
                {
                    'bundle': bundle.name,
                    'mode': score.candidate.mode,
                    'regions': score.candidate.settings.regions,
                    'images': image_rows(score),
                }
                for score in self._scores
            ],
        )

    def write_pictures(self, folder: Path, count: int) -> list[Path]:
        """Draw the best, median and worst images by the Dice of two stages; after `score`.

        Args:
            folder: where to; made if missing.
            count: so many of each.

        Returns:
            The files; those of an earlier evaluation in that folder are removed.

        Raises:
            DataError: a file cannot be written.
            StsegError: an image cannot be read, or a network failed.
        """
        shown = self._shown()
        decisive = next(score for score in self._scores if score.candidate == shown[-1])
        folder.mkdir(parents=True, exist_ok=True)
        for label in PICTURE_LABELS:
            for stale in folder.glob(f'{label}_[0-9]_*.jpg'):
                stale.unlink()
        paths = []
        for choice in choose_pictures(decisive, count):
            labelled = self._images.load(choice.index)
            frame = Frame(image_hwc=labelled.image_hwc)
            picture_bgr = draw_comparison(
                labelled,
                [
                    ShownResult(
                        title=_title(candidate), result=self._subject.segment(frame, candidate)
                    )
                    for candidate in shown
                ],
            )
            path = folder / f'{choice.label}_{labelled.name.replace("/", "_")}.jpg'
            if not cv2.imwrite(str(path), picture_bgr, [cv2.IMWRITE_JPEG_QUALITY, 90]):
                raise DataError(f'{path}: cannot be written; give another --output')
            paths.append(path)
        return paths

    def _shown(self) -> list[Candidate]:
        """The modes that pictures show, the deciding one last."""
        return [
            candidate
            for candidate in self._candidates
            if candidate.mode != TWO_STAGE or candidate.settings.regions == self._chosen_regions
        ]

    def _load_all(self, on_image: Callable[[], object]) -> Iterator[LabelledFrame]:
        for index in range(len(self._images.names)):
            yield self._images.load(index)
            on_image()


def document(facts: SetFacts, evaluations: Sequence[BundleEvaluation]) -> dict[str, Any]:
    """Compose what the JSON file holds.

    Args:
        facts: what was scored on.
        evaluations: one for each bundle.

    Returns:
        Names to numbers, words, lists and mappings.
    """
    return {
        'schema': SCHEMA,
        'dataset': facts.dataset,
        'split': facts.split,
        'only': facts.only,
        'images': evaluations[0].rows[0]['images'],
        'notes': list(facts.notes),
        'conventions': CONVENTIONS,
        'versions': _versions(),
        'bundles': [item.facts for item in evaluations],
        'results': [row for item in evaluations for row in item.rows],
        'per_image': [row for item in evaluations for row in item.images],
    }


def _versions() -> dict[str, str]:
    installed = {item.metadata['Name']: item.version for item in metadata.distributions()}
    packages = {name: installed[name] for name in _PACKAGES if name in installed}
    return {'python': platform.python_version(), **packages}


def _title(candidate: Candidate) -> str:
    if candidate.mode == TWO_STAGE:
        return f'two-stage, K = {candidate.settings.regions}'
    return {COARSE: 'coarse only', WHOLE: 'whole frame'}[candidate.mode]
