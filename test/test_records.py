"""Tests of the records' derived values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stseg_ros.records import (
    CoarseResult,
    FrameTiming,
    RegionSelection,
    SegmentationResult,
    sigmoid,
)


def make_result(logit_bytes_hw: np.ndarray, mask_hw: np.ndarray) -> SegmentationResult:
    selection = RegionSelection(
        boxes_xyxy=np.array([[0, 0, 2, 1], [2, 1, 4, 2]], np.int32), score=np.zeros(2, np.float32)
    )
    return SegmentationResult(
        mask_hw=mask_hw,
        logit_bytes_hw=logit_bytes_hw,
        selection=selection,
        timing=FrameTiming(),
        stamp_ns=7,
        frame_id='camera',
    )


def test_timing_sums() -> None:
    timing = FrameTiming(
        decode_ns=1,
        preprocess_ns=10,
        coarse_ns=100,
        select_ns=1000,
        refine_ns=10_000,
        fuse_ns=100_000,
        encode_ns=1_000_000,
    )
    assert timing.total_ns == 1_111_111
    assert timing.pipeline_ns == 111_110
    assert timing.networks_ns == 10_100


@pytest.mark.parametrize('logit', [-200.0, -3.0, 0.0, 0.5, 40.0])
def test_sigmoid_matches_its_definition(logit: float) -> None:
    expected = 1.0 / (1.0 + math.exp(-logit))
    assert sigmoid(np.array([logit], np.float32))[0] == pytest.approx(expected, abs=1e-6)


def test_probability_is_at_camera_size() -> None:
    # 24 steps above zero are a logit of 1.5.
    logit_bytes_hw = np.full((2, 4), 152, np.uint8)
    result = make_result(logit_bytes_hw, np.full((6, 8), 255, np.uint8))
    assert result.probability_hw().shape == (6, 8)
    assert result.probability_hw() == pytest.approx(1.0 / (1.0 + math.exp(-1.5)), abs=1e-6)


def test_label_confidence_is_of_the_label_shown() -> None:
    # A logit of 1 is a probability of 0.7311; times 255 that is 186.4, and the rest 68.6.
    logit_bytes_hw = np.full((2, 2), 144, np.uint8)
    vehicle = make_result(logit_bytes_hw, np.full((2, 2), 255, np.uint8))
    background = make_result(logit_bytes_hw, np.zeros((2, 2), np.uint8))
    assert np.unique(vehicle.label_confidence_hw()).tolist() == [186]
    assert np.unique(background.label_confidence_hw()).tolist() == [69]


def test_boxes_scale_to_the_camera() -> None:
    result = make_result(np.zeros((2, 4), np.uint8), np.zeros((6, 8), np.uint8))
    assert result.boxes_in_camera_xyxy().tolist() == [[0, 0, 4, 3], [4, 3, 8, 6]]


def test_a_coarse_output_is_taken_apart_without_a_copy() -> None:
    plain = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert CoarseResult.of_output(plain).logit_bytes_hw is plain
    assert CoarseResult.of_output(plain).feature_bytes_fhw is None
    output = np.arange(36, dtype=np.uint8).reshape(3, 3, 4)
    coarse = CoarseResult.of_output(output)
    assert coarse.feature_bytes_fhw is not None
    assert coarse.logit_bytes_hw.tolist() == plain.tolist()
    assert coarse.feature_bytes_fhw[1, 2].tolist() == [32, 33, 34, 35]
    assert np.shares_memory(coarse.logit_bytes_hw, output)
    assert np.shares_memory(coarse.feature_bytes_fhw, output)
