"""Tests of wiring a bundle, settings and engines."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import read_tiny_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.config import EXECUTIONS, PipelineConfig
from stseg_ros.errors import ConfigError, EngineError
from stseg_ros.records import ChannelOrder, Frame


def red_block(order: ChannelOrder) -> Frame:
    image = np.zeros((128, 256, 3), np.uint8)
    image[20:100, 30:180, 0 if order is ChannelOrder.RGB else 2] = 200
    return Frame(image_hwc=image, channel_order=order, stamp_ns=7, frame_id='cam')


@pytest.mark.parametrize('backend', ['auto', 'openvino', 'onnxruntime'])
@pytest.mark.parametrize('execution', EXECUTIONS)
@pytest.mark.parametrize('order', list(ChannelOrder))
def test_every_way_of_running_finds_the_same(
    tmp_path: Path, backend: str, execution: str, order: ChannelOrder
) -> None:
    bundle = read_tiny_bundle(tmp_path, regions=16)
    config = PipelineConfig(backend=backend, precision='float32', execution=execution)
    segmenter = open_segmenter(bundle, config)
    frame = red_block(order)
    result = segmenter.segment(frame)
    np.testing.assert_array_equal(result.mask_hw > 0, frame.image_hwc.max(axis=2) > 0)
    assert (result.stamp_ns, result.frame_id, len(result.selection)) == (7, 'cam', 16)
    assert ('one graph' in segmenter.backend_note) == (execution == 'one_graph')
    assert segmenter.backend in segmenter.backend_note
    segmenter.close()


def test_one_graph_passes_over_what_does_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    bundle = read_tiny_bundle(tmp_path)
    segmenter = open_segmenter(bundle, PipelineConfig(execution='one_graph'))
    assert segmenter.backend == 'onnxruntime'
    assert 'passed over' in segmenter.backend_note
    assert 'openvino: openvino is not installed' in segmenter.backend_note
    segmenter.close()
    with pytest.raises(EngineError, match='openvino is not installed'):
        open_segmenter(bundle, PipelineConfig(execution='one_graph', backend='openvino'))
    with pytest.raises(ConfigError, match="backend is 'magic'"):
        open_segmenter(bundle, PipelineConfig(execution='one_graph', backend='magic'))
