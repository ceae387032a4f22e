"""Tests of what is learned from labelled frames, and of putting it into a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import GRID, WORKING_HW, read_tiny_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.learned.held_out_frame import HeldOutFrame, refine_everywhere
from stseg_ros.measure.learned.learn import learn, write_learned
from stseg_ros.measure.study.evidence import StudyNetworks
from stseg_ros.pipeline.merge_table import MergeTable
from stseg_ros.records import Frame

CONFIG = PipelineConfig(backend='onnxruntime', precision='float32')
CELLS = GRID[0] * GRID[1]


def labelled(seed: int, size_hw: tuple[int, int] = WORKING_HW) -> LabelledFrame:
    """Draw faint red blobs in noise, and a truth that they only resemble."""
    rng = np.random.default_rng(seed)
    height, width = size_hw
    image_hwc = np.full((*size_hw, 3), 90, np.uint8)
    truth_hw = np.zeros(size_hw, np.uint8)
    for _ in range(5):
        y, x = rng.integers(0, height - 24), rng.integers(0, width - 40)
        image_hwc[y : y + 22, x : x + 35, 0] = rng.integers(95, 140)
        truth_hw[y + 3 : y + 24, x : x + 31] = 1
    truth_hw[:5] = 255
    noise = rng.integers(-20, 20, image_hwc.shape)
    image_hwc = np.clip(image_hwc.astype(int) + noise, 0, 255).astype(np.uint8)
    return LabelledFrame(image_hwc=image_hwc, vehicle_hw=truth_hw)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return read_tiny_bundle(tmp_path_factory.mktemp('bundle'), coarse_gain=6.0, refine_gain=9.0)


@pytest.fixture(scope='module')
def networks(bundle: ModelBundle) -> Iterator[StudyNetworks]:
    with closing(StudyNetworks(bundle, CONFIG)) as opened:
        yield opened


@pytest.fixture(scope='module')
def frames(networks: StudyNetworks) -> list[HeldOutFrame]:
    return [refine_everywhere(networks, labelled(seed)) for seed in range(4)]


def test_counts_are_of_the_regions_that_the_pipeline_refines(
    bundle: ModelBundle, networks: StudyNetworks
) -> None:
    frame = labelled(1)
    counts = refine_everywhere(networks, frame).merge_counts(3)
    with closing(open_segmenter(bundle, PipelineConfig(backend='onnxruntime', regions=3))) as run:
        boxes_xyxy = run.segment(Frame(image_hwc=frame.image_hwc)).selection.boxes_xyxy
    truths = [frame.vehicle_hw[y0:y1, x0:x1] for x0, y0, x1, y1 in boxes_xyxy.tolist()]
    for label in (0, 1):
        assert counts[label].sum() == sum(int((truth == label).sum()) for truth in truths)
    assert refine_everywhere(networks, frame).merge_counts(0).sum() == 0


@pytest.mark.parametrize('fusion', ['paste', 'add'])
def test_a_gain_is_what_refining_the_cell_sets_right(
    bundle: ModelBundle, networks: StudyNetworks, fusion: str
) -> None:
    frame = labelled(2)
    gains = refine_everywhere(networks, frame).gains(fusion, None)
    masks = []
    for regions in (0, CELLS):
        config = PipelineConfig(
            backend='onnxruntime', precision='float32', regions=regions, fusion=fusion
        )
        with closing(open_segmenter(bundle, config)) as segmenter:
            masks.append(segmenter.segment(Frame(image_hwc=frame.image_hwc)).mask_hw > 0)
    right = [(mask == (frame.vehicle_hw == 1)) & (frame.vehicle_hw != 255) for mask in masks]
    change_hw = right[1].astype(float) - right[0]
    height, width = WORKING_HW[0] // GRID[0], WORKING_HW[1] // GRID[1]
    expected = change_hw.reshape(GRID[0], height, GRID[1], width).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(gains, expected)
    assert np.abs(expected).max() > 0.01


def test_frames_of_any_size(networks: StudyNetworks) -> None:
    frame = refine_everywhere(networks, labelled(0, (90, 200)))
    assert frame.truth_hw.shape == WORKING_HW
    assert set(np.unique(frame.truth_hw)) == {0, 1, 255}
    assert frame.refined_khw.shape == (CELLS, WORKING_HW[0] // GRID[0], WORKING_HW[1] // GRID[1])


def test_what_is_learned_fits_the_frames(frames: list[HeldOutFrame]) -> None:
    learned = learn(frames, regions=6, fusion='learned')
    assert learned.images == len(frames)
    table = learned.merge.table.bytes_cr
    # The Dice said is that of the frames' own pixels, coarse and refined in the chosen cells.
    counts = sum(frame.merge_counts(6) for frame in frames)
    found = counts[:, table > 128].sum(axis=1)
    expected = 2 * found[1] / (found[1] + found[0] + counts[1].sum())
    assert learned.dice_learned == pytest.approx(expected)
    # More is expected of the cells that gained more.
    gains = np.concatenate([frame.gains('learned', MergeTable(table)) for frame in frames])
    predicted = np.concatenate([learned.gain.predict(frame.features()) for frame in frames])
    assert np.corrcoef(gains, predicted)[0, 1] > 0.1
    again = learn(frames, regions=6, fusion='learned')
    np.testing.assert_array_equal(again.merge.table.bytes_cr, table)
    assert again.gain == learned.gain


def test_a_bundle_that_has_learned_runs_so(tmp_path: Path, frames: list[HeldOutFrame]) -> None:
    bundle = read_tiny_bundle(tmp_path, coarse_gain=6.0, refine_gain=9.0)
    learned = learn(frames, regions=6, fusion='add')
    taught = write_learned(bundle, learned)
    assert taught.manifest.provenance['learned']['images'] == len(frames)
    assert taught.merge_path is not None
    again = MergeTable.read(taught.merge_path)
    np.testing.assert_array_equal(again.bytes_cr, learned.merge.table.bytes_cr)
    config = PipelineConfig(backend='onnxruntime', selector='learned', fusion='learned')
    with closing(open_segmenter(taught, config)) as segmenter:
        result = segmenter.segment(Frame(image_hwc=labelled(0).image_hwc))
    assert result.mask_hw.shape == WORKING_HW
