"""Tests of what the networks are asked."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from support.tiny_bundle import WORKING_HW, read_tiny_bundle
from support.tiny_features import (
    block_image,
    coarse_bytes,
    enlarged,
    read_feature_bundle,
    refined_everywhere,
)

from stseg_ros.config import PipelineConfig
from stseg_ros.measure.study.evidence import FrameEvidence, StudyNetworks
from stseg_ros.pipeline.selectors.cells import grid_boxes_xyxy


def test_any_number_of_regions_in_batches_of_one_size(tmp_path: Path) -> None:
    image_hwc = np.random.default_rng(0).integers(0, 256, (*WORKING_HW, 3), np.uint8)
    config = PipelineConfig(backend='onnxruntime', precision='float32')
    boxes_xyxy = grid_boxes_xyxy((4, 4), WORKING_HW)
    with closing(StudyNetworks(read_tiny_bundle(tmp_path), config)) as networks:
        evidence = FrameEvidence(networks, image_hwc)
        assert evidence.refined(boxes_xyxy[:0]).shape == (0, 32, 64)
        # Three, and thirteen more: less than a batch, and more than one.
        few, all_khw = evidence.refined(boxes_xyxy[[2, 9, 4]]), evidence.refined(boxes_xyxy)
    redness = (image_hwc[..., 0].astype(float) - image_hwc[..., 1]) / 255.0 * 8.0
    expected_hw = np.clip(np.rint(128 + 16 * redness), 0, 255)
    for box, logits_hw in zip(boxes_xyxy.tolist(), all_khw, strict=True):
        left, top, right, bottom = box
        np.testing.assert_allclose(logits_hw, expected_hw[top:bottom, left:right], atol=1)
    np.testing.assert_array_equal(few, all_khw[[2, 9, 4]])


def test_regions_see_the_features_of_their_place(tmp_path: Path) -> None:
    image_hwc = block_image(6)
    config = PipelineConfig(backend='onnxruntime', precision='float32')
    boxes_xyxy = grid_boxes_xyxy((4, 4), WORKING_HW)
    with closing(StudyNetworks(read_feature_bundle(tmp_path), config)) as networks:
        evidence = FrameEvidence(networks, image_hwc)
        FrameEvidence(networks, block_image(7))
        refined_khw = evidence.refined(boxes_xyxy)
    said = coarse_bytes(image_hwc)
    np.testing.assert_array_equal(evidence.coarse.logit_bytes_hw, said[0])
    np.testing.assert_array_equal(evidence.coarse.feature_bytes_fhw, said[1:])
    np.testing.assert_allclose(evidence.enlarged_hw, enlarged(said[0]), atol=1.0)
    expected_hw = np.clip(128.0 + 16.0 * refined_everywhere(image_hwc), 0.0, 255.0)
    for (left, top, right, bottom), logits_hw in zip(
        boxes_xyxy.tolist(), refined_khw, strict=True
    ):
        np.testing.assert_allclose(logits_hw, expected_hw[top:bottom, left:right], atol=3.0)
