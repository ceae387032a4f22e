"""Tests of the masks that stand beside the live ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.node.labelled_stream import load_stream
from stseg_ros.measure.node.offline import OfflineMasks, segment_offline
from stseg_ros.measure.pixel_metrics import PixelCounts


def test_every_number_of_regions_is_segmented_and_the_settings_come_back(tmp_path: Path) -> None:
    bundle = ModelBundle.read(write_tiny_bundle(tmp_path / 'tiny'))
    segmenter = open_segmenter(bundle, PipelineConfig(backend='onnxruntime', regions=2))
    settings, stream = segmenter.settings, load_stream(1, None)
    found = segment_offline(stream, segmenter)
    assert segmenter.settings == settings
    assert (found.most_regions, found.sources) == (2, ('synthetic scenes',))
    for regions in range(3):
        alone = open_segmenter(bundle, PipelineConfig(backend='onnxruntime', regions=regions))
        mask_hw = alone.segment(stream[0].frame).mask_hw
        alone.close()
        assert np.array_equal(np.unpackbits(found.masks[0][regions], axis=1), mask_hw // 255)
        vehicles = np.count_nonzero(stream[0].vehicle_hw == 1)
        counts = found.counts[0][regions]
        assert counts.tp + counts.fn == vehicles
        assert counts.tp + counts.fp == np.count_nonzero(mask_hw)
    segmenter.close()


def test_scores_lie_on_a_line_between_whole_numbers_of_regions() -> None:
    none, half, right = PixelCounts(fn=10), PixelCounts(tp=5, fn=5), PixelCounts(tp=10)
    bits = np.zeros((1, 1), np.uint8)
    found = OfflineMasks(
        sources=('a', 'a', 'b'),
        masks=((bits,) * 3,) * 3,
        counts=((none, half, right), (right, right, right), (none, none, right)),
    )
    # Pooled: 2 * 10 / (2 * 10 + 10), and 2 * 15 / (2 * 15 + 5).
    assert found.dice('a', 0) == pytest.approx(2 / 3)
    assert found.dice('a', 1) == pytest.approx(6 / 7)
    assert found.dice_at_mean('a', 0.25) == pytest.approx(0.75 * 2 / 3 + 0.25 * 6 / 7)
    assert found.dice_at_mean('b', 1.5) == pytest.approx(0.5)
    assert found.dice_at_mean('b', 2.0) == 1.0
