from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import read_tiny_bundle

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.measure import pixel_metrics
from stseg_ros.measure.candidates import Candidate
from stseg_ros.measure.evaluate import (
    BundleUnderTest,
    CandidateScore,
    LabelledFrame,
    score_candidates,
)
from stseg_ros.measure.pixel_metrics import PixelCounts
from stseg_ros.measure.score_rows import image_rows, score_row


def red_left_half(height: int, width: int, name: str = '') -> LabelledFrame:
    """The tiny bundle calls red vehicle; the truth here is the same left half."""
    image_hwc = np.full((height, width, 3), (60, 120, 60), np.uint8)
    image_hwc[:, : width // 2] = (250, 0, 0)
    vehicle_hw = np.zeros((height, width), np.uint8)
    vehicle_hw[:, : width // 2] = 1
    return LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw, name=name)


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return read_tiny_bundle(tmp_path / 'tiny')


@pytest.fixture
def subject(bundle: ModelBundle) -> Iterator[BundleUnderTest]:
    with closing(BundleUnderTest(bundle, PipelineConfig(backend='onnxruntime'))) as opened:
        yield opened


def two_scores(subject: BundleUnderTest) -> list[CandidateScore]:
    frames = [red_left_half(128, 256, 'first'), red_left_half(256, 512, 'second')]
    # The ignored quarter of the first image must not be counted.
    frames[0].vehicle_hw[:64, :128] = 255
    candidates = [
        Candidate(mode='coarse', settings=SegmenterSettings(regions=0, threshold=0.6)),
        Candidate(mode='two_stage', settings=SegmenterSettings(regions=16, threshold=0.6)),
    ]
    return score_candidates(subject, iter(frames), candidates)


def test_scores_every_candidate_on_every_image(subject: BundleUnderTest) -> None:
    coarse, refined = two_scores(subject)
    assert refined.candidate.settings.regions == 16
    # Refined at full resolution the edge is exact at the working size.
    assert refined.images[0].pixels == PixelCounts(tp=64 * 128, fp=0, fn=0, tn=128 * 128)
    known = coarse.images[0].pixels
    assert known.tp + known.fp + known.fn + known.tn == 128 * 256 - 64 * 128
    assert [image.regions for image in coarse.images + refined.images] == [0, 0, 16, 16]
    assert coarse.names == refined.names == ('first', 'second')


def test_row_pools_the_images(subject: BundleUnderTest) -> None:
    _, refined = two_scores(subject)
    row = score_row(refined)
    counts = [image.pixels for image in refined.images]
    tp, fp, fn = (sum(getattr(count, name) for count in counts) for name in ('tp', 'fp', 'fn'))
    assert row['dice'] == round(2 * tp / (2 * tp + fp + fn), 4)
    assert row['mean_image_dice'] == round((1.0 + pixel_metrics.dice(counts[1])) / 2, 4)
    assert (row['mode'], row['fusion'], row['regions']) == ('two_stage', 'paste', 16)
    names = [image['name'] for image in image_rows(refined)]
    assert names == ['first', 'second']
    assert image_rows(refined)[0]['vehicle_pixels'] == 64 * 128
