"""The shipped networks say the same on every engine, on real images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.tensorrt.library import LIBRARIES, is_installed
from stseg_ros.records import ChannelOrder, Frame, SegmentationResult

IMAGES = (
    'kitti_raw/2011_09_26/image_02/data/0000000000.png',
    'kitti_raw/2011_09_26/image_02/data/0000000040.png',
    'kitti/training/image_2/000010_10.png',
    'camvid/val/0016E5_07959.png',
)

pytestmark = pytest.mark.data


def segment_all(data_root: Path, config: PipelineConfig) -> list[SegmentationResult]:
    segmenter = open_segmenter(ModelBundle.read(find_bundle('driving_small')), config)
    results = []
    for name in IMAGES:
        image = cv2.imread(str(data_root / name))
        results.append(segmenter.segment(Frame(image_hwc=image, channel_order=ChannelOrder.BGR)))
    segmenter.close()
    return results


def dice(first_hw: np.ndarray, second_hw: np.ndarray) -> float:
    both = np.count_nonzero((first_hw > 0) & (second_hw > 0))
    return 2.0 * both / (np.count_nonzero(first_hw) + np.count_nonzero(second_hw))


@pytest.fixture(scope='module')
def reference(data_root: Path) -> list[SegmentationResult]:
    return segment_all(data_root, PipelineConfig(backend='onnxruntime'))


def test_openvino_in_float32_matches(data_root: Path, reference: list[SegmentationResult]) -> None:
    exact = segment_all(data_root, PipelineConfig(backend='openvino', precision='float32'))
    for ours, theirs in zip(exact, reference, strict=True):
        np.testing.assert_array_equal(ours.selection.boxes_xyxy, theirs.selection.boxes_xyxy)
        # A difference of 0.002 in a logit may round to the next byte, no further.
        steps = ours.logit_bytes_hw.astype(int) - theirs.logit_bytes_hw
        assert np.abs(steps).max() <= 1
        assert dice(ours.mask_hw, theirs.mask_hw) > 0.9999


def test_openvino_by_default_agrees(data_root: Path, reference: list[SegmentationResult]) -> None:
    # bfloat16 on processors that have it: another cell may be chosen where two are nearly tied.
    fast = segment_all(data_root, PipelineConfig(backend='openvino'))
    for ours, theirs in zip(fast, reference, strict=True):
        assert dice(ours.mask_hw, theirs.mask_hw) > 0.97


@pytest.fixture(params=LIBRARIES)
def nvidia(request: pytest.FixtureRequest) -> str:
    if find_gpu() is None:
        pytest.skip('no NVIDIA GPU here')
    if not is_installed(request.param):
        pytest.skip(f'{request.param} is not installed')
    return request.param


@pytest.mark.gpu
def test_tensorrt_in_float32_matches(
    nvidia: str, data_root: Path, reference: list[SegmentationResult]
) -> None:
    exact = segment_all(data_root, PipelineConfig(backend=nvidia, precision='float32'))
    for ours, theirs in zip(exact, reference, strict=True):
        np.testing.assert_array_equal(ours.selection.boxes_xyxy, theirs.selection.boxes_xyxy)
        # A difference of 0.002 in a logit may round to the next byte, no further.
        steps = ours.logit_bytes_hw.astype(int) - theirs.logit_bytes_hw
        assert np.abs(steps).max() <= 1
        assert dice(ours.mask_hw, theirs.mask_hw) > 0.9999


@pytest.mark.gpu
def test_tensorrt_by_default_agrees(
    nvidia: str, data_root: Path, reference: list[SegmentationResult]
) -> None:
    # FP16: another cell may be chosen where two are nearly tied.
    fast = segment_all(data_root, PipelineConfig(backend=nvidia))
    for ours, theirs in zip(fast, reference, strict=True):
        assert dice(ours.mask_hw, theirs.mask_hw) > 0.97


@pytest.mark.gpu
def test_tensorrt_says_the_same_whatever_came_before(nvidia: str, data_root: Path) -> None:
    # Each number of regions has a recording of its own; none may read what another one left.
    bundle = ModelBundle.read(find_bundle('driving_small'))
    segmenter = open_segmenter(bundle, PipelineConfig(backend=nvidia))
    image = cv2.imread(str(data_root / IMAGES[0]))
    frame = Frame(image_hwc=image, channel_order=ChannelOrder.BGR)
    masks: dict[int, np.ndarray] = {}
    for regions in (8, 3, 8, 1, 32, 3, 8, 0, 1, 32):
        segmenter.settings = dataclasses.replace(segmenter.settings, regions=regions)
        mask_hw = segmenter.segment(frame).mask_hw
        np.testing.assert_array_equal(mask_hw, masks.setdefault(regions, mask_hw))
    segmenter.close()
