"""Tests of the whole pipeline on networks that can be checked by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import read_tiny_bundle

from stseg_ros.assembly import open_segmenter, open_selector, resolve_settings
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.backends import open_pair
from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.errors import ConfigError, FrameError
from stseg_ros.pipeline.two_stage import TwoStageSegmenter
from stseg_ros.records import ChannelOrder, Frame

RED = (200, 0, 0)


@pytest.fixture
def segmenter(tmp_path: Path) -> TwoStageSegmenter:
    # Stage 1 sees nothing anywhere (gain 0: logit 0, not above 0.5); stage 2 sees red.
    bundle = read_tiny_bundle(tmp_path, coarse_gain=0.0, refine_gain=8.0)
    return open_segmenter(bundle, PipelineConfig(precision='float32'))


def picture(size_hw: tuple[int, int], red_xyxy: tuple[int, int, int, int]) -> np.ndarray:
    image = np.zeros((*size_hw, 3), np.uint8)
    left, top, right, bottom = red_xyxy
    image[top:bottom, left:right] = RED
    return image


def test_only_selected_regions_are_refined(segmenter: TwoStageSegmenter) -> None:
    # All cells tie, so the first row of the 4 x 4 grid is refined: rows 0 to 31 of 128.
    image = picture((128, 256), (10, 20, 200, 100))
    result = segmenter.segment(Frame(image_hwc=image, stamp_ns=5, frame_id='cam'))
    expected = np.zeros((128, 256), np.uint8)
    expected[20:32, 10:200] = 255
    np.testing.assert_array_equal(result.mask_hw, expected)
    assert len(result.selection) == 4
    assert (result.stamp_ns, result.frame_id) == (5, 'cam')


def test_all_regions_give_the_full_resolution_mask(segmenter: TwoStageSegmenter) -> None:
    segmenter.settings = dataclasses.replace(segmenter.settings, regions=16)
    image = picture((128, 256), (13, 27, 101, 99))
    result = segmenter.segment(Frame(image_hwc=image))
    np.testing.assert_array_equal(result.mask_hw > 0, image[..., 0] > 0)


def test_coarse_only_runs_no_second_stage(segmenter: TwoStageSegmenter) -> None:
    segmenter.settings = dataclasses.replace(segmenter.settings, regions=0)
    result = segmenter.segment(Frame(image_hwc=picture((128, 256), (0, 0, 256, 128))))
    assert not result.mask_hw.any()
    assert len(result.selection) == 0


def test_channel_order_is_honoured(segmenter: TwoStageSegmenter) -> None:
    segmenter.settings = dataclasses.replace(segmenter.settings, regions=16)
    rgb = picture((128, 256), (40, 40, 90, 80))
    as_rgb = segmenter.segment(Frame(image_hwc=rgb))
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    as_bgr = segmenter.segment(Frame(image_hwc=bgr, channel_order=ChannelOrder.BGR))
    np.testing.assert_array_equal(as_rgb.mask_hw, as_bgr.mask_hw)
    assert as_rgb.mask_hw.any()


@pytest.mark.parametrize('size_hw', [(16, 16), (375, 1242), (720, 1280), (901, 333)], ids=str)
def test_mask_has_the_cameras_size(segmenter: TwoStageSegmenter, size_hw: tuple[int, int]) -> None:
    segmenter.settings = dataclasses.replace(segmenter.settings, regions=16)
    height, width = size_hw
    image = picture(size_hw, (width // 4, height // 4, 3 * width // 4, 3 * height // 4))
    mask = segmenter.segment(Frame(image_hwc=image)).mask_hw
    assert mask.shape == size_hw
    # Resizing moves each border by at most a pixel or so, of the camera or of the working size.
    tolerance = 1.5 * (1 / min(height, 128) + 1 / min(width, 256))
    assert (mask > 0).mean() == pytest.approx((image[..., 0] > 0).mean(), abs=tolerance)
    assert mask[height // 2, width // 2] == 255
    assert mask[0, 0] == 0


def test_a_48_megapixel_frame_is_segmented(segmenter: TwoStageSegmenter) -> None:
    segmenter.settings = dataclasses.replace(segmenter.settings, regions=16)
    mask = segmenter.segment(Frame(image_hwc=picture((6000, 8000), (0, 0, 8000, 3000)))).mask_hw
    assert mask.shape == (6000, 8000)
    assert (mask[:2950] == 255).all()
    assert (mask[3050:] == 0).all()


@pytest.mark.parametrize(
    'image',
    [np.zeros((0, 0, 3), np.uint8), np.zeros((1, 1, 3), np.uint8), np.zeros((64, 64), np.uint8)],
)
def test_unusable_frames_raise(segmenter: TwoStageSegmenter, image: np.ndarray) -> None:
    with pytest.raises(FrameError):
        segmenter.segment(Frame(image_hwc=image))


def test_read_only_padded_views_work(segmenter: TwoStageSegmenter) -> None:
    segmenter.settings = dataclasses.replace(segmenter.settings, regions=16)
    image = picture((128, 256), (13, 27, 101, 99))
    padded = np.zeros((128, 300, 3), np.uint8)
    padded[:, :256] = image
    padded.flags.writeable = False
    result = segmenter.segment(Frame(image_hwc=padded[:, :256]))
    np.testing.assert_array_equal(result.mask_hw > 0, image[..., 0] > 0)


def test_results_outlive_the_next_frame(segmenter: TwoStageSegmenter) -> None:
    first = segmenter.segment(Frame(image_hwc=picture((128, 256), (10, 0, 200, 30))))
    mask, logits = first.mask_hw.copy(), first.logit_bytes_hw.copy()
    segmenter.segment(Frame(image_hwc=picture((128, 256), (0, 0, 1, 1))))
    np.testing.assert_array_equal(first.mask_hw, mask)
    np.testing.assert_array_equal(first.logit_bytes_hw, logits)


def test_timing_covers_every_stage(segmenter: TwoStageSegmenter) -> None:
    timing = segmenter.segment(Frame(image_hwc=picture((128, 256), (0, 0, 9, 9)))).timing
    stages = ('preprocess_ns', 'coarse_ns', 'select_ns', 'refine_ns', 'fuse_ns')
    assert all(getattr(timing, stage) > 0 for stage in stages)
    assert (timing.decode_ns, timing.encode_ns) == (0, 0)


def test_settings_are_checked_against_the_bundle(segmenter: TwoStageSegmenter) -> None:
    with pytest.raises(ConfigError, match='at most 16'):
        segmenter.settings = dataclasses.replace(segmenter.settings, regions=17)


def test_a_frame_may_be_limited_once_its_coarse_result_is_there(
    segmenter: TwoStageSegmenter,
) -> None:
    asked: list[int] = []

    def limit(most: int) -> int:
        asked.append(most)
        return 2

    frame = Frame(image_hwc=picture((128, 256), (0, 0, 256, 128)))
    assert len(segmenter.segment(frame, limit).selection) == 2
    assert asked == [4]
    assert len(segmenter.segment(frame).selection) == 4


def test_every_batch_size_is_timed(segmenter: TwoStageSegmenter) -> None:
    times_ns = segmenter.time_regions([1, 3, 16])
    assert list(times_ns) == [1, 3, 16]
    assert all(time_ns > 0 for time_ns in times_ns.values())


class CountingEngine:
    """Passes batches on, and keeps their sizes."""

    def __init__(self, engine: InferenceEngine) -> None:
        self.sizes: set[int] = set()
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def infer(self, batch_nhwc: np.ndarray, order: ChannelOrder = ChannelOrder.RGB) -> np.ndarray:
        self.sizes.add(len(batch_nhwc))
        return self._engine.infer(batch_nhwc, order)


@pytest.mark.parametrize(
    ('selector', 'refine_below', 'sizes'),
    [('grid', 1.0, {4}), ('grid', 0.5, {1, 2, 3, 4}), ('components', 1.0, {1, 2, 3, 4})],
)
def test_warm_up_prepares_every_number_of_regions(
    tmp_path: Path, selector: str, refine_below: float, sizes: set[int]
) -> None:
    bundle = read_tiny_bundle(tmp_path)
    pair = open_pair(
        bundle.coarse_path, bundle.refine_path, backend='openvino', options=EngineOptions()
    )
    refine = CountingEngine(pair.refine)
    config = PipelineConfig(selector=selector, refine_below=refine_below)
    segmenter = TwoStageSegmenter(
        geometry=bundle.geometry,
        engines=dataclasses.replace(pair, refine=refine),
        selector=open_selector(bundle, config),
        settings=resolve_settings(bundle, config),
    )
    segmenter.warm_up()
    segmenter.close()
    assert refine.sizes == sizes
