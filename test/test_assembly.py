"""Tests of wiring a bundle, settings and engines."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import add_learned, read_tiny_bundle

from stseg_ros.assembly import (
    open_segmenter,
    open_selector,
    paper_settings,
    resolve_selector,
    resolve_settings,
)
from stseg_ros.bundle import Geometry, ModelBundle
from stseg_ros.config import EXECUTIONS, SELECTORS, PipelineConfig, SegmenterSettings
from stseg_ros.errors import ConfigError, EngineError
from stseg_ros.pipeline.selectors.components import ComponentSelector
from stseg_ros.pipeline.selectors.grid import GridSelector
from stseg_ros.pipeline.selectors.learned import LearnedSelector
from stseg_ros.pipeline.selectors.uncertainty import MarginSelector
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


@pytest.mark.parametrize('selector', SELECTORS)
def test_every_selector_refines_where_it_says(tmp_path: Path, selector: str) -> None:
    # Stage 2 is blind: what it refines by pasting turns to background.
    options = {'coarse_gain': 20.0, 'refine_gain': -20.0, 'regions': 2}
    bundle = add_learned(read_tiny_bundle(tmp_path, **options))
    config = PipelineConfig(backend='onnxruntime', selector=selector)
    segmenter = open_segmenter(bundle, config)
    frame = red_block(ChannelOrder.RGB)
    result = segmenter.segment(frame)
    coarse = open_segmenter(bundle, PipelineConfig(backend='onnxruntime', regions=0))
    expected = coarse.segment(frame).mask_hw.copy()
    assert expected.any()
    assert 1 <= len(result.selection) <= 2
    for left, top, right, bottom in result.selection.boxes_xyxy.tolist():
        assert (right - left, bottom - top) == (64, 32)
        expected[top:bottom, left:right] = 0
    np.testing.assert_array_equal(result.mask_hw, expected)
    segmenter.close()
    coarse.close()


def recommending(bundle: ModelBundle, **values: str) -> ModelBundle:
    """Let a bundle recommend something else."""
    recommended = replace(bundle.manifest.recommended, **values)
    return replace(bundle, manifest=replace(bundle.manifest, recommended=recommended))


@pytest.mark.parametrize(
    ('recommended', 'said', 'chosen'),
    [
        ('grid', {}, 'grid'),
        ('components', {}, 'components'),
        ('learned', {}, 'learned'),
        ('components', {'selector': 'margin'}, 'margin'),
        ('components', {'preset': 'paper'}, 'grid'),
        ('components', {'execution': 'one_graph'}, 'grid'),
    ],
)
def test_the_recommended_selector_is_used_unless_another_is_said(
    tmp_path: Path, recommended: str, said: dict[str, str], chosen: str
) -> None:
    bundle = recommending(add_learned(read_tiny_bundle(tmp_path)), selector=recommended)
    assert resolve_selector(bundle, PipelineConfig(**said)) == chosen
    kinds = {'grid': GridSelector, 'components': ComponentSelector, 'margin': MarginSelector,
             'learned': LearnedSelector}  # fmt: skip
    assert type(open_selector(bundle, PipelineConfig(**said))) is kinds[chosen]


@pytest.mark.parametrize('said', [False, True])
@pytest.mark.parametrize('setting', ['fusion', 'selector'])
def test_what_was_not_learned_is_refused_in_one_line(
    tmp_path: Path, setting: str, said: bool
) -> None:
    bundle, values = read_tiny_bundle(tmp_path), {setting: 'learned'}
    config = PipelineConfig(backend='onnxruntime', **(values if said else {}))
    if not said:
        bundle = recommending(bundle, **values)
    with pytest.raises(ConfigError) as caught:
        open_segmenter(bundle, config)
    message = str(caught.value)
    assert f'{setting} is learned, but bundle tiny has learned none; expected ' in message
    assert 'stseg export --learn' in message
    assert '\n' not in message
    # What the bundle recommends does not bind the user.
    other = {'fusion': 'add', 'selector': 'grid'}[setting]
    open_segmenter(bundle, replace(config, **{setting: other})).close()


@pytest.mark.parametrize('execution', EXECUTIONS)
def test_the_learned_merge_is_used(tmp_path: Path, execution: str) -> None:
    bundle = add_learned(read_tiny_bundle(tmp_path, coarse_gain=3.0, regions=16))
    config = PipelineConfig(
        backend='onnxruntime', precision='float32', fusion='learned', execution=execution
    )
    # Alike everywhere, so that nothing depends on how it is sampled: logits 3 * 51 / 255 and 8 *
    # 51 / 255 are bytes 138 and 154 (of 153.6), and the table takes a quarter and three quarters.
    image_hwc = np.full((128, 256, 3), [51, 0, 0], np.uint8)
    segmenter = open_segmenter(bundle, config)
    logit_bytes_hw = segmenter.segment(Frame(image_hwc=image_hwc)).logit_bytes_hw
    segmenter.close()
    assert logit_bytes_hw is not None
    assert set(np.unique(logit_bytes_hw)) == {round(0.25 * 138 + 0.75 * 154)}


@pytest.mark.parametrize(
    ('grid', 'regions'), [((2, 2), 2), ((4, 4), 4), ((8, 8), 8), ((4, 8), 6), ((1, 1), 1)]
)
def test_the_papers_settings_refine_the_root_of_the_cells(
    grid: tuple[int, int], regions: int
) -> None:
    geometry = Geometry(working_hw=(512, 512), coarse_factor=8, grid=grid, max_regions=64)
    expected = SegmenterSettings(regions=regions, threshold=0.5, fusion='paste')
    assert paper_settings(geometry) == expected


def test_the_preset_is_between_what_is_said_and_the_bundle(tmp_path: Path) -> None:
    bundle = read_tiny_bundle(tmp_path, regions=7)
    assert resolve_settings(bundle, PipelineConfig()).regions == 7
    assert resolve_settings(bundle, PipelineConfig(preset='paper')).regions == 4
    said = PipelineConfig(preset='paper', regions=3, fusion='max', threshold=0.25)
    expected = SegmenterSettings(regions=3, threshold=0.25, fusion='max')
    assert resolve_settings(bundle, said) == expected
