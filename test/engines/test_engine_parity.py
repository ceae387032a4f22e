"""The shipped networks say the same on every engine, on real images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.config import PipelineConfig
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
