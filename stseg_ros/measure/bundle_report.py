"""Choose a bundle's settings on held-out images, score it, and write both into the bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from stseg_ros.bundle import Manifest, ModelBundle, write_manifest
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.measure.candidates import (
    TWO_STAGE,
    WHOLE,
    Candidate,
    default_regions,
    list_candidates,
)
from stseg_ros.measure.evaluate import (
    BundleUnderTest,
    CandidateScore,
    LabelledFrame,
    score_candidates,
)
from stseg_ros.measure.pixel_metrics import dice
from stseg_ros.measure.probability_counts import counts_at
from stseg_ros.measure.score_rows import score_row

PAPER_FUSION = 'paste'
# 'max' cannot take back what the coarse network saw wrongly; it is for users who fear misses most.
FUSIONS = (PAPER_FUSION, 'add')
# Sums of logits are surer than either network, so that high thresholds may be right for them.
_THRESHOLDS = tuple(round(0.2 + 0.05 * index, 2) for index in range(16))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSettings:
    """What was chosen on the held-out images.

    Attributes:
        recommended: of the two stages.
        whole_threshold: of the whole-frame baseline, which would look worse than it is at the
            threshold of another network.
    """

    recommended: SegmenterSettings
    whole_threshold: float


def choose_settings(
    subject: BundleUnderTest,
    held_out: Mapping[str, Iterable[LabelledFrame]],
    regions: int,
    fusions: Sequence[str] = FUSIONS,
) -> ChosenSettings:
    """Choose fusion and thresholds by the mean, over the data sets, of the pooled Dice.

    Args:
        subject: the opened bundle.
        held_out: images by data set, used for nothing else but this choice.
        regions: regions per frame, given.
        fusions: those to choose from.

    Returns:
        The best settings; the bundle's own where there are no held-out images.
    """
    if not held_out:
        own = dataclasses.replace(subject.settings, regions=regions)
        return ChosenSettings(recommended=own, whole_threshold=own.threshold)
    candidates = [
        Candidate(mode=TWO_STAGE, settings=SegmenterSettings(regions=regions, fusion=fusion))
        for fusion in fusions
    ]
    if subject.has_whole:
        candidates.append(Candidate(mode=WHOLE, settings=SegmenterSettings(regions=0)))
    by_dataset = [_threshold_scores(subject, frames, candidates) for frames in held_out.values()]
    mean = np.mean(by_dataset, axis=0)
    two_stages = mean[: len(fusions)]
    fusion, threshold = np.unravel_index(np.argmax(two_stages), two_stages.shape)
    return ChosenSettings(
        recommended=SegmenterSettings(
            regions=regions, fusion=fusions[int(fusion)], threshold=_THRESHOLDS[threshold]
        ),
        whole_threshold=_THRESHOLDS[np.argmax(mean[-1])],
    )


def _threshold_scores(
    subject: BundleUnderTest, frames: Iterable[LabelledFrame], candidates: Sequence[Candidate]
) -> list[list[float]]:
    """Compute the pooled Dice of each candidate, at each of `_THRESHOLDS`."""
    found = []
    for score in score_candidates(subject, frames, candidates):
        probabilities = reduce(add, (image.probabilities for image in score.images))
        found.append([dice(counts_at(probabilities, threshold)) for threshold in _THRESHOLDS])
    return found


def score_table(
    subject: BundleUnderTest, frames: Iterable[LabelledFrame], chosen: ChosenSettings
) -> dict[str, Any]:
    """Score every mode of a bundle, two stages for several numbers of regions.

    Args:
        subject: the opened bundle.
        frames: labelled images, never used for training.
        chosen: regions, fusion and thresholds.

    Returns:
        `images` and `results`, a list of rows as they go into `bundle.yaml`; the last is the
        paper's fusion with the chosen number of regions.
    """
    settings = chosen.recommended
    candidates = []
    if subject.has_whole:
        alone = dataclasses.replace(settings, regions=0, threshold=chosen.whole_threshold)
        candidates.append(Candidate(mode=WHOLE, settings=alone))
    counts = {*default_regions(subject.bundle.geometry), settings.regions} - {0}
    candidates += list_candidates(settings, sorted(counts), whole=False)
    if settings.fusion != PAPER_FUSION and settings.regions:
        paper = dataclasses.replace(settings, fusion=PAPER_FUSION)
        candidates.append(Candidate(mode=TWO_STAGE, settings=paper))
    scores = score_candidates(subject, frames, candidates)
    return {
        'images': len(scores[0].images),
        'backend': f'{subject.segmenter.backend}, {subject.segmenter.device}',
        'threshold': settings.threshold,
        'results': [_row(score) for score in scores],
    }


def _row(score: CandidateScore) -> dict[str, Any]:
    threshold = score.candidate.settings.threshold
    own_threshold = {'threshold': threshold} if score.candidate.mode == WHOLE else {}
    return score_row(score) | own_threshold


def report_bundle(
    bundle: ModelBundle,
    held_out: Mapping[str, Iterable[LabelledFrame]],
    score_sets: Mapping[str, Iterable[LabelledFrame]],
    fusions: Sequence[str] = FUSIONS,
) -> Manifest:
    """Choose settings, score them and rewrite the bundle's manifest.

    Args:
        bundle: as exported; its `bundle.yaml` is written again.
        held_out: images by data set for choosing fusion and threshold.
        score_sets: images by name, such as 'camvid val', for the scores.
        fusions: those to choose from.

    Returns:
        What the bundle's manifest says now.
    """
    with closing(BundleUnderTest(bundle, PipelineConfig())) as subject:
        regions = bundle.manifest.recommended.regions
        chosen = choose_settings(subject, held_out, regions, fusions)
        scores = {
            name: score_table(subject, frames, chosen) for name, frames in score_sets.items()
        }
    # What is chosen here does not name the selector, which stays.
    recommended = dataclasses.replace(
        bundle.manifest.recommended, **dataclasses.asdict(chosen.recommended)
    )
    manifest = dataclasses.replace(bundle.manifest, recommended=recommended, scores=scores)
    write_manifest(bundle.root, manifest)
    return manifest
