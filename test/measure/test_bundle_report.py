"""Choosing settings and scoring with a bundle that finds red things."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import WORKING_HW, read_tiny_bundle, write_redness_network

from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, write_manifest
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.measure.bundle_report import (
    ChosenSettings,
    choose_settings,
    report_bundle,
    score_table,
)
from stseg_ros.measure.evaluate import BundleUnderTest, LabelledFrame


def red_left_half(height: int, width: int) -> LabelledFrame:
    image_hwc = np.full((height, width, 3), (60, 120, 60), np.uint8)
    image_hwc[:, : width // 2] = (250, 0, 0)
    vehicle_hw = np.zeros((height, width), np.uint8)
    vehicle_hw[:, : width // 2] = 1
    return LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw)


def faint_red(vehicle: int, background: int) -> LabelledFrame:
    """Red of so many grey levels over the rest, left the vehicle and right what is none."""
    image_hwc = np.full((128, 256, 3), 100, np.uint8)
    image_hwc[:, :128, 0] += vehicle
    image_hwc[:, 128:, 0] += background
    vehicle_hw = np.zeros((128, 256), np.uint8)
    vehicle_hw[:, :128] = 1
    return LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw)


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return read_tiny_bundle(tmp_path / 'tiny')


def opened(bundle: ModelBundle) -> BundleUnderTest:
    return BundleUnderTest(bundle, PipelineConfig(backend='onnxruntime'))


@pytest.fixture
def subject(bundle: ModelBundle) -> Iterator[BundleUnderTest]:
    with closing(opened(bundle)) as subject:
        yield subject


@pytest.fixture
def with_whole(bundle: ModelBundle) -> Iterator[BundleUnderTest]:
    path = bundle.root / 'whole.onnx'
    write_redness_network(path, WORKING_HW, batch=1, gain=2.0)
    networks = dataclasses.replace(
        bundle.manifest.networks, whole=NetworkFile(file=path.name, sha256=file_sha256(path))
    )
    write_manifest(bundle.root, dataclasses.replace(bundle.manifest, networks=networks))
    with closing(opened(ModelBundle.read(bundle.root))) as subject:
        yield subject


def test_chooses_the_threshold_that_scores_best(subject: BundleUnderTest) -> None:
    # A faint red of logit 8 * 40 / 255 = 1.25 is vehicle, p = 0.78: above 0.7 it would be lost; a
    # fainter one of logit 8 * 6 / 255 = 0.19, p = 0.55, is not: at 0.5 or less it would be found.
    chosen = choose_settings(subject, {'only': iter([faint_red(40, 6)])}, regions=0).recommended
    assert 0.55 <= chosen.threshold <= 0.7
    assert chosen.regions == 0


def test_the_baseline_has_a_threshold_of_its_own(with_whole: BundleUnderTest) -> None:
    # Its logits are a quarter: 0.47 and 0.09, p = 0.615 and 0.52. Stage 1 says 0.87 and 0.59.
    chosen = choose_settings(with_whole, {'only': [faint_red(60, 12)]}, regions=0)
    assert 0.52 < chosen.whole_threshold < 0.615
    assert 0.59 < chosen.recommended.threshold < 0.87
    table = score_table(with_whole, [faint_red(60, 12)], chosen)
    assert table['results'][0] == {
        'mode': 'whole', 'regions': 0, 'dice': 1.0, 'mean_image_dice': 1.0, 'iou': 1.0,
        'precision': 1.0, 'recall': 1.0, 'threshold': chosen.whole_threshold,
    }  # fmt: skip
    assert 'threshold' not in table['results'][1]


def test_without_held_out_images_the_settings_stay(subject: BundleUnderTest) -> None:
    chosen = choose_settings(subject, {}, regions=3)
    own = subject.settings.threshold
    assert (chosen.recommended.regions, chosen.recommended.threshold) == (3, own)
    assert chosen.whole_threshold == own


@pytest.mark.parametrize(
    ('fusion', 'regions', 'expected'),
    [
        ('add', 4, [(None, 0), ('add', 2), ('add', 4), ('add', 8), ('add', 16), ('paste', 4)]),
        ('add', 5, [(None, 0), ('add', 2), ('add', 4), ('add', 5), ('add', 8), ('add', 16),
                    ('paste', 5)]),
        ('paste', 4, [(None, 0), ('paste', 2), ('paste', 4), ('paste', 8), ('paste', 16)]),
        ('add', 0, [(None, 0), ('add', 2), ('add', 4), ('add', 8), ('add', 16)]),
    ],
)  # fmt: skip
def test_table_has_every_number_of_regions_and_the_papers_fusion(
    subject: BundleUnderTest, fusion: str, regions: int, expected: list[tuple[str | None, int]]
) -> None:
    settings = SegmenterSettings(regions=regions, threshold=0.5, fusion=fusion)
    chosen = ChosenSettings(recommended=settings, whole_threshold=0.5)
    table = score_table(subject, iter([red_left_half(128, 256)]), chosen)
    assert [(row.get('fusion'), row['regions']) for row in table['results']] == expected
    assert table['images'] == 1


def test_scores_are_those_of_the_masks(subject: BundleUnderTest) -> None:
    settings = SegmenterSettings(regions=16, threshold=0.5, fusion='paste')
    chosen = ChosenSettings(recommended=settings, whole_threshold=0.5)
    coarse, *_, all_refined = score_table(subject, [red_left_half(128, 256)], chosen)['results']
    # With all 16 regions refined the border is exact.
    for figure in ('dice', 'mean_image_dice', 'iou', 'precision', 'recall'):
        assert all_refined[figure] == 1.0
    assert coarse['dice'] < 1.0


def test_report_goes_into_the_bundle(bundle: ModelBundle) -> None:
    frame = red_left_half(64, 96)
    manifest = report_bundle(bundle, {'set': [frame]}, {'set val': iter([frame, frame])})
    again = ModelBundle.read(bundle.root)
    assert again.manifest == manifest
    assert again.manifest.scores['set val']['images'] == 2
    assert again.manifest.recommended.regions == bundle.manifest.recommended.regions
    # A row of scores takes a single line.
    lines = (bundle.root / 'bundle.yaml').read_text().splitlines()
    rows = [line for line in lines if line.lstrip().startswith('- {mode:')]
    assert len(rows) == len(manifest.scores['set val']['results'])
    assert all(line.endswith('}') for line in rows)
