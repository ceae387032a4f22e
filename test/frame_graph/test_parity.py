"""The shipped networks as one graph give the masks that they give apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.frame_graphs import run_graph

from stseg_ros.assembly import open_segmenter, resolve_settings
from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.config import GRID, PipelineConfig
from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.graph_runner import FrameGraphSpec
from stseg_ros.engines.network_rewrite.network_steps import prepare_network
from stseg_ros.engines.onnxruntime.graph import OnnxRuntimeGraph
from stseg_ros.engines.openvino.graph import OpenVinoGraph
from stseg_ros.frame_graph.build import build_frame_graph
from stseg_ros.frame_graph.opener import graph_opener
from stseg_ros.pipeline.one_graph import OneGraphSegmenter
from stseg_ros.pipeline.two_stage import TwoStageSegmenter
from stseg_ros.records import ChannelOrder, Frame, SegmentationResult

SIZES_HW = [(720, 1280), (375, 1242), (480, 640), (1080, 1920), (601, 1003)]
IMAGES = (
    'kitti_raw/2011_09_26/image_02/data/0000000000.png',
    'kitti_raw/2011_09_26/image_02/data/0000000040.png',
    'kitti/training/image_2/000010_10.png',
    'camvid/val/0016E5_07959.png',
)
# One graph ranks the cells of the grid.
CONFIG = PipelineConfig(backend='onnxruntime', selector=GRID)
FLOAT32 = EngineOptions(precision='float32')

# Grey levels that differ by a fraction shift a cell's confidence by up to so much (a difference of
# one in every tenth pixel does as well), so that cells as near to each other may change places.
NEARLY_TIED = 0.1


@pytest.fixture(scope='module')
def bundle() -> ModelBundle:
    return ModelBundle.read(find_bundle('driving_small'))


@pytest.fixture(scope='module')
def apart(bundle: ModelBundle) -> Iterator[TwoStageSegmenter]:
    segmenter = open_segmenter(bundle, CONFIG)
    yield segmenter
    segmenter.close()


@pytest.fixture(scope='module', params=[OnnxRuntimeGraph, OpenVinoGraph])
def together(request: pytest.FixtureRequest, bundle: ModelBundle) -> Iterator[OneGraphSegmenter]:
    segmenter = OneGraphSegmenter(
        geometry=bundle.geometry,
        open_graph=graph_opener(bundle, lambda model: request.param(model, FLOAT32)),
        settings=resolve_settings(bundle, CONFIG),
        camera_hw=SIZES_HW[0],
    )
    yield segmenter
    segmenter.close()


def dice(first_hw: np.ndarray, second_hw: np.ndarray) -> float:
    both = np.count_nonzero((first_hw > 0) & (second_hw > 0))
    return 2.0 * both / (np.count_nonzero(first_hw) + np.count_nonzero(second_hw))


def scores_by_box(result: SegmentationResult) -> dict[tuple[int, ...], float]:
    boxes = map(tuple, result.selection.boxes_xyxy.tolist())
    return dict(zip(boxes, result.selection.score.tolist(), strict=True))


def check(actual: SegmentationResult, expected: SegmentationResult) -> None:
    ours, theirs = scores_by_box(actual), scores_by_box(expected)
    assert len(ours) == len(theirs)
    for box in ours.keys() & theirs.keys():
        assert ours[box] == pytest.approx(theirs[box], abs=NEARLY_TIED)
    last = max(theirs.values())
    for only_one in (ours, theirs):
        for box in only_one.keys() - (ours.keys() & theirs.keys()):
            assert only_one[box] == pytest.approx(last, abs=NEARLY_TIED)
    assert dice(actual.mask_hw, expected.mask_hw) > 0.99


@pytest.mark.parametrize('size_hw', SIZES_HW, ids=str)
def test_masks_of_synthetic_scenes_agree(
    apart: TwoStageSegmenter, together: OneGraphSegmenter, size_hw: tuple[int, int]
) -> None:
    frame = Frame(image_hwc=render_scene(1, size_hw).image_hwc)
    expected = apart.segment(frame)
    assert np.count_nonzero(expected.mask_hw) > 0.01 * expected.mask_hw.size
    check(together.segment(frame), expected)


def test_networks_in_half_precision_give_the_same_masks(
    bundle: ModelBundle, tmp_path: Path
) -> None:
    spec = FrameGraphSpec(camera_hw=(375, 1242), regions=8, fusion='add')
    path = tmp_path / 'frame.onnx'
    path.write_bytes(build_frame_graph(bundle, spec))
    halved = prepare_network(path, half=True, order=ChannelOrder.RGB, logits='float32')
    image = render_scene(1, spec.camera_hw).image_hwc
    exact, half = run_graph(path.read_bytes(), image), run_graph(halved, image)
    assert dice(half['mask'], exact['mask']) > 0.999
    np.testing.assert_array_equal(half['chosen'], exact['chosen'])
    # Half precision ends at the networks' logits.
    np.testing.assert_allclose(half['scores'], exact['scores'], atol=0.002)
    # Something was halved.
    assert not np.array_equal(half['scores'], exact['scores'])


@pytest.mark.data
@pytest.mark.parametrize('name', IMAGES)
@pytest.mark.parametrize('size_hw', [None, *SIZES_HW], ids=str)
def test_masks_of_real_images_agree(
    data_root: Path,
    apart: TwoStageSegmenter,
    together: OneGraphSegmenter,
    name: str,
    size_hw: tuple[int, int] | None,
) -> None:
    image = cv2.imread(str(data_root / name))
    if size_hw is not None:
        image = cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_AREA)
    frame = Frame(image_hwc=image, channel_order=ChannelOrder.BGR)
    check(together.segment(frame), apart.segment(frame))
