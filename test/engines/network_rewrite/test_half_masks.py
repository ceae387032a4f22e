"""What FP16 does to the masks: the shipped bundle rewritten as for TensorRT, on real images.

ONNX Runtime computes each FP16 operation in float32 or FP16 and rounds to FP16 between them, as a
GPU does; sums inside one operation may be rounded differently there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, find_bundle, write_manifest
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.network_rewrite.network_steps import prepare_network
from stseg_ros.records import ChannelOrder, Frame, SegmentationResult

IMAGES = (
    'kitti_raw/2011_09_26/image_02/data/0000000000.png',
    'kitti/training/image_2/000010_10.png',
    'camvid/val/0016E5_07959.png',
)

pytestmark = pytest.mark.data


def halved(bundle: ModelBundle, root: Path) -> ModelBundle:
    """Write the bundle again, with networks that compute in FP16."""
    root.mkdir()
    files = {}
    for name in ('coarse', 'refine'):
        path = root / f'{name}.onnx'
        original = bundle.root / path.name
        path.write_bytes(
            prepare_network(original, half=True, order=ChannelOrder.RGB, logits='float32')
        )
        files[name] = NetworkFile(file=path.name, sha256=file_sha256(path))
    networks = replace(bundle.manifest.networks, **files)
    write_manifest(root, replace(bundle.manifest, networks=networks))
    return ModelBundle.read(root)


def segment_all(bundle: ModelBundle, data_root: Path) -> list[SegmentationResult]:
    segmenter = open_segmenter(bundle, PipelineConfig(backend='onnxruntime'))
    results = []
    for name in IMAGES:
        image = cv2.imread(str(data_root / name))
        results.append(segmenter.segment(Frame(image_hwc=image, channel_order=ChannelOrder.BGR)))
    segmenter.close()
    return results


def test_masks_hardly_change(data_root: Path, tmp_path: Path) -> None:
    bundle = ModelBundle.read(find_bundle('driving_small'))
    exact = segment_all(bundle, data_root)
    rounded = segment_all(halved(bundle, tmp_path / 'half'), data_root)
    differing = 0
    for ours, theirs in zip(rounded, exact, strict=True):
        np.testing.assert_array_equal(ours.selection.boxes_xyxy, theirs.selection.boxes_xyxy)
        steps = ours.logit_bytes_hw.astype(int) - theirs.logit_bytes_hw
        differing += np.count_nonzero(steps)
        assert np.abs(steps).max() <= 2
        both = np.count_nonzero(ours.mask_hw & theirs.mask_hw)
        total = np.count_nonzero(ours.mask_hw) + np.count_nonzero(theirs.mask_hw)
        assert 2.0 * both / total > 0.999
    # The rewritten networks were run, not the same ones twice.
    assert differing > 0
