"""The pairs of the per-frame timing message."""

from __future__ import annotations

import numpy as np

from stseg_ros.records import FrameTiming, RegionSelection, SegmentationResult
from stseg_ros.sources.timing_message import timing_key_values


def test_every_stage_in_order_with_three_decimals() -> None:
    timing = FrameTiming(
        decode_ns=1_234_567,
        preprocess_ns=2_000_000,
        coarse_ns=3_000_400,
        select_ns=500,
        refine_ns=10_000_000,
        fuse_ns=0,
        encode_ns=999_999_999,
    )
    result = SegmentationResult(
        mask_hw=np.zeros((2, 2), np.uint8),
        logit_bytes_hw=np.zeros((2, 2), np.uint8),
        selection=RegionSelection(
            boxes_xyxy=np.zeros((3, 4), np.int32), score=np.zeros(3, np.float32)
        ),
        timing=timing,
        stamp_ns=0,
        frame_id='',
    )
    assert timing_key_values(result, [('dropped', '4')]) == [
        ('decode_ms', '1.235'),
        ('preprocess_ms', '2.000'),
        ('coarse_ms', '3.000'),
        ('select_ms', '0.001'),
        ('refine_ms', '10.000'),
        ('fuse_ms', '0.000'),
        ('encode_ms', '1000.000'),
        ('total_ms', '1016.235'),
        ('regions', '3'),
        ('dropped', '4'),
    ]
