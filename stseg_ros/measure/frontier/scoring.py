"""Scores of every point on a labelled set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PAPER, PipelineConfig
from stseg_ros.measure.candidates import Candidate
from stseg_ros.measure.compute_cost import bundle_cost
from stseg_ros.measure.evaluate import BundleUnderTest, LabelledFrame, score_candidates
from stseg_ros.measure.frontier.points import Group, Point
from stseg_ros.measure.labelled_sets import LabelledSet
from stseg_ros.measure.score_rows import full_row

# No network has a threshold chosen for it.
THRESHOLD = 0.5
_SMALL = 'small'


def config_of(group: Group) -> PipelineConfig:
    """Say how a group's bundle runs.

    Args:
        group: the group.

    Returns:
        The paper's settings for its network; else logits added, the default of the recipe.
    """
    if group.paper:
        return PipelineConfig(preset=PAPER)
    return PipelineConfig(selector=group.selector, fusion='add', threshold=THRESHOLD)


def candidate_of(point: Point, subject: BundleUnderTest) -> Candidate:
    """Say how an opened bundle runs a point.

    Args:
        point: one of its group's.
        subject: the group's bundle.

    Returns:
        The candidate.
    """
    settings = dataclasses.replace(subject.settings, regions=point.regions)
    return Candidate(mode=point.mode, settings=settings)


def score_group(
    group: Group, bundle: ModelBundle, images: LabelledSet, on_image: Callable[[], object]
) -> dict[str, dict[str, Any]]:
    """Score all points of a group.

    Args:
        group: the points.
        bundle: the bundle that serves them; with a whole-frame network where a point asks for it.
        images: the labelled set.
        on_image: called after each image.

    Returns:
        By label `dice`, `boundary_dice`, `small_recall` and `small_hit_rate` (None where there is
        no small vehicle), `mean_regions` and `macs`.

    Raises:
        StsegError: an image cannot be read, or a network failed.
    """

    def frames() -> Iterator[LabelledFrame]:
        for index in range(len(images.names)):
            yield images.load(index)
            on_image()

    with closing(BundleUnderTest(bundle, config_of(group))) as subject:
        candidates = [candidate_of(point, subject) for point in group.points]
        scores = score_candidates(subject, frames(), candidates)
    cost = bundle_cost(bundle)
    return {
        point.label: slim_row(full_row(score, cost))
        for point, score in zip(group.points, scores, strict=True)
    }


def slim_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a row what the frontier shows.

    Args:
        row: see `score_rows.full_row`.

    Returns:
        See `score_group`.
    """
    small = row['by_size'][_SMALL]
    return {
        **{name: row[name] for name in ('dice', 'boundary_dice', 'mean_regions', 'macs')},
        'small_recall': small['recall'],
        'small_hit_rate': small['hit_rate'],
    }
