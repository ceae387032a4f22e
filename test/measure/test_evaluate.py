from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import read_tiny_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.measure.bundle_report import choose_settings, report_bundle, score_table
from stseg_ros.measure.evaluate import LabelledFrame, score_settings
from stseg_ros.measure.pixel_metrics import PixelCounts
from stseg_ros.pipeline.two_stage import TwoStageSegmenter


def red_left_half(height: int, width: int) -> LabelledFrame:
    """The tiny bundle calls red vehicle; the truth here is the same left half."""
    image_hwc = np.full((height, width, 3), (60, 120, 60), np.uint8)
    image_hwc[:, : width // 2] = (250, 0, 0)
    vehicle_hw = np.zeros((height, width), np.uint8)
    vehicle_hw[:, : width // 2] = 1
    return LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw)


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return read_tiny_bundle(tmp_path / 'tiny')


@pytest.fixture
def segmenter(bundle: ModelBundle) -> TwoStageSegmenter:
    return open_segmenter(bundle, PipelineConfig(backend='onnxruntime'))


def test_scores_every_candidate_on_every_image(segmenter: TwoStageSegmenter) -> None:
    frames = [red_left_half(128, 256), red_left_half(256, 512)]
    # The ignored quarter of the first image must not be counted.
    frames[0].vehicle_hw[:64, :128] = 255
    before = segmenter.settings
    candidates = [
        SegmenterSettings(regions=0, threshold=0.6),
        SegmenterSettings(regions=16, threshold=0.6),
    ]
    coarse, refined = score_settings(segmenter, iter(frames), candidates)
    assert segmenter.settings == before
    assert refined.settings.regions == 16
    # Refined at full resolution the edge is exact at the working size.
    assert refined.images[0] == PixelCounts(tp=64 * 128, fp=0, fn=0, tn=128 * 128)
    assert sum((*_fields(coarse.images[0]),)) == 128 * 256 - 64 * 128
    assert len(coarse.images) == 2
    assert refined.dice > 0.99
    assert refined.mean_image_dice == pytest.approx(np.mean([1.0, _dice(refined.images[1])]))


def test_chooses_the_threshold_that_scores_best(segmenter: TwoStageSegmenter) -> None:
    # A faint red of logit 8 * 40 / 255 = 1.25 is vehicle, p = 0.78: above 0.7 it would be lost; a
    # fainter one of logit 8 * 6 / 255 = 0.19, p = 0.55, is not: at 0.5 or less it would be found.
    image_hwc = np.full((128, 256, 3), 100, np.uint8)
    image_hwc[:, :128, 0] = 140
    image_hwc[:, 128:, 0] = 106
    vehicle_hw = np.zeros((128, 256), np.uint8)
    vehicle_hw[:, :128] = 1
    frame = LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw)
    chosen = choose_settings(segmenter, {'only': [frame]}, regions=0)
    assert 0.55 <= chosen.threshold <= 0.7
    assert chosen.regions == 0


def test_without_held_out_images_the_settings_stay(segmenter: TwoStageSegmenter) -> None:
    chosen = choose_settings(segmenter, {}, regions=3)
    assert (chosen.regions, chosen.threshold) == (3, segmenter.settings.threshold)


def test_table_has_coarse_and_both_fusions(segmenter: TwoStageSegmenter) -> None:
    chosen = SegmenterSettings(regions=4, threshold=0.5, fusion='add')
    table = score_table(segmenter, [red_left_half(128, 256)], chosen)
    rows = [(row['mode'], row.get('fusion'), row['regions']) for row in table['results']]
    assert rows == [('coarse', None, 0)] + [
        ('two_stage', fusion, regions) for fusion in ('paste', 'add') for regions in (2, 4, 8, 16)
    ]
    assert table['images'] == 1
    best = table['results'][4]
    assert best['dice'] == best['iou'] == best['precision'] == best['recall'] == 1.0


def test_report_goes_into_the_bundle(bundle: ModelBundle) -> None:
    frame = red_left_half(64, 96)
    manifest = report_bundle(bundle, {'set': [frame]}, {'set val': [frame, frame]})
    again = ModelBundle.read(bundle.root)
    assert again.manifest == manifest
    assert again.manifest.scores['set val']['images'] == 2
    assert again.manifest.recommended.regions == bundle.manifest.recommended.regions


def _fields(counts: PixelCounts) -> tuple[int, int, int, int]:
    return counts.tp, counts.fp, counts.fn, counts.tn


def _dice(counts: PixelCounts) -> float:
    return 2 * counts.tp / (2 * counts.tp + counts.fp + counts.fn)
