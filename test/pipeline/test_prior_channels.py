"""Tests of a refine network that sees features of the coarse one, from image to mask."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import GRID, read_tiny_bundle, write_redness_network
from support.tiny_features import (
    COARSE_GAINS,
    block_image,
    coarse_bytes,
    enlarged,
    read_feature_bundle,
    refined_everywhere,
    write_linear_network,
)

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, write_manifest
from stseg_ros.config import PipelineConfig
from stseg_ros.errors import BundleError
from stseg_ros.pipeline.preprocess import FrameSampler
from stseg_ros.pipeline.prior_channels import enlarge_planes, join_planes
from stseg_ros.records import ChannelOrder, Frame, SegmentationResult

CELLS = GRID[0] * GRID[1]


def fresh(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.uint8)


def segmented(
    bundle: ModelBundle, rgb: np.ndarray, *, backend: str = 'onnxruntime', **settings: object
) -> SegmentationResult:
    config = PipelineConfig(backend=backend, precision='float32', fusion='paste', **settings)
    segmenter = open_segmenter(bundle, config)
    result = segmenter.segment(Frame(image_hwc=rgb))
    segmenter.close()
    return result


def test_planes_are_enlarged_one_by_one() -> None:
    planes = np.random.default_rng(0).integers(0, 256, (3, 16, 32), np.uint8)
    found = enlarge_planes(planes, (128, 256), fresh)
    assert (found.shape, found.dtype) == ((3, 128, 256), np.uint8)
    for plane, wanted in zip(found, planes, strict=True):
        # OpenCV rounds once per axis.
        np.testing.assert_allclose(plane, enlarged(wanted.astype(float)), atol=1.0)


@pytest.mark.parametrize('count', [1, 4, 17])
def test_planes_become_the_channels_after_the_colours(count: int) -> None:
    rng = np.random.default_rng(count)
    regions = rng.integers(0, 256, (2, 8, 12, 3), np.uint8)
    planes = list(rng.integers(0, 256, (count, 32, 48), np.uint8))
    boxes = np.array([[12, 0, 24, 8], [36, 24, 48, 32]], np.int32)
    joined = join_planes(regions, boxes, planes, fresh)
    assert joined.shape == (2, 8, 12, 3 + count)
    assert joined.flags.c_contiguous
    np.testing.assert_array_equal(joined[..., :3], regions)
    for channel, plane in enumerate(planes, 3):
        np.testing.assert_array_equal(joined[0, ..., channel], plane[0:8, 12:24])
        np.testing.assert_array_equal(joined[1, ..., channel], plane[24:32, 36:48])


def test_a_sampler_takes_features_at_the_coarse_size() -> None:
    sampler = FrameSampler(working_hw=(128, 256), coarse_factor=8)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (128, 256, 3), np.uint8)
    prior = rng.integers(0, 256, (128, 256), np.uint8)
    features = rng.integers(0, 256, (2, 16, 32), np.uint8)
    boxes = np.array([[64, 32, 128, 64]], np.int32)
    (region,) = sampler.regions(image, boxes, prior, features)
    np.testing.assert_array_equal(region[..., :3], image[32:64, 64:128])
    np.testing.assert_array_equal(region[..., 3], prior[32:64, 64:128])
    for channel, plane in enumerate(features, 4):
        wanted = enlarged(plane.astype(float))[32:64, 64:128]
        np.testing.assert_allclose(region[..., channel], wanted, atol=1.0)


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_every_region_sees_logits_and_features_of_its_place(tmp_path: Path, backend: str) -> None:
    rgb = block_image()
    result = segmented(read_feature_bundle(tmp_path), rgb, backend=backend, regions=CELLS)
    expected = np.clip(128.0 + 16.0 * refined_everywhere(rgb), 0.0, 255.0)
    # A byte that was rounded the other way moves the refined logit by up to 16 * 12 / 255.
    np.testing.assert_allclose(result.logit_bytes_hw, expected, atol=3.0)
    assert (np.abs(result.logit_bytes_hw - expected) < 1.1).mean() > 0.95


def test_stage_1_alone_is_not_changed_by_its_features(tmp_path: Path) -> None:
    rgb = block_image(1)
    result = segmented(read_feature_bundle(tmp_path), rgb, regions=0)
    np.testing.assert_allclose(result.logit_bytes_hw, enlarged(coarse_bytes(rgb)[0]), atol=1.0)


def test_both_channel_orders_give_one_mask(tmp_path: Path) -> None:
    bundle = read_feature_bundle(tmp_path)
    rgb = block_image(2)
    for backend in ('onnxruntime', 'openvino'):
        segmenter = open_segmenter(bundle, PipelineConfig(backend=backend, precision='float32'))
        first = segmenter.segment(Frame(image_hwc=rgb))
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        second = segmenter.segment(Frame(image_hwc=bgr, channel_order=ChannelOrder.BGR))
        segmenter.close()
        np.testing.assert_array_equal(first.logit_bytes_hw, second.logit_bytes_hw)


def test_one_graph_passes_the_features_on_too(tmp_path: Path) -> None:
    bundle = read_feature_bundle(tmp_path)
    rgb = block_image(5)
    # All of them: cells that are nearly tied may swap.
    stages = segmented(bundle, rgb, regions=CELLS)
    graph = segmented(bundle, rgb, regions=CELLS, execution='one_graph')
    # Without rounding between the stages: see `refined_everywhere` for what a byte is worth.
    assert graph.logit_bytes_hw is not None
    np.testing.assert_allclose(
        graph.logit_bytes_hw.astype(int), stages.logit_bytes_hw.astype(int), atol=3
    )
    assert (graph.mask_hw != stages.mask_hw).mean() < 0.01


def test_features_of_another_frame_do_not_stay(tmp_path: Path) -> None:
    bundle = read_feature_bundle(tmp_path)
    config = PipelineConfig(backend='onnxruntime', regions=5)
    segmenter = open_segmenter(bundle, config)
    segmenter.segment(Frame(image_hwc=block_image(3)))
    again = segmenter.segment(Frame(image_hwc=block_image(4))).logit_bytes_hw
    segmenter.close()
    other = open_segmenter(bundle, config)
    alone = other.segment(Frame(image_hwc=block_image(4))).logit_bytes_hw
    other.close()
    np.testing.assert_array_equal(again, alone)


@pytest.mark.parametrize('given', [1, 2, 4])
def test_a_coarse_network_with_other_features_is_refused(tmp_path: Path, given: int) -> None:
    bundle = read_feature_bundle(tmp_path)
    gains = np.concatenate([COARSE_GAINS, COARSE_GAINS])[:given]
    write_linear_network(bundle.coarse_path, bundle.geometry.coarse_hw, gains, batch=1)
    _record(bundle)
    message = r"coarse\.onnx: output 'logits' is .*, the geometry in .* asks for float32 1x3x16x32"
    with pytest.raises(BundleError, match=message):
        open_segmenter(ModelBundle.read(tmp_path), PipelineConfig(backend='onnxruntime'))


def test_a_refine_network_that_sees_too_little_is_refused(tmp_path: Path) -> None:
    bundle = read_feature_bundle(tmp_path)
    size_hw = bundle.geometry.region_hw
    write_redness_network(bundle.refine_path, size_hw, batch=None, gain=2.0, prior_gain=1.0)
    _record(bundle)
    message = r"refine\.onnx: input 'image' is uint8 Nx32x64x4, .* asks for uint8 Nx32x64x6"
    with pytest.raises(BundleError, match=message):
        open_segmenter(ModelBundle.read(tmp_path), PipelineConfig(backend='onnxruntime'))


def test_a_bundle_without_features_has_the_manifest_of_before(tmp_path: Path) -> None:
    bundle = read_tiny_bundle(tmp_path)
    text = (tmp_path / 'bundle.yaml').read_text()
    old = text.replace(', prior_features: 0', '').replace('prior_features: 0', '')
    assert old != text
    (tmp_path / 'bundle.yaml').write_text(old)
    assert ModelBundle.read(tmp_path).manifest == bundle.manifest


def _record(bundle: ModelBundle) -> None:
    """Write the hashes of networks that were replaced."""
    networks = dataclasses.replace(
        bundle.manifest.networks,
        coarse=NetworkFile(file='coarse.onnx', sha256=file_sha256(bundle.coarse_path)),
        refine=NetworkFile(file='refine.onnx', sha256=file_sha256(bundle.refine_path)),
    )
    write_manifest(bundle.root, dataclasses.replace(bundle.manifest, networks=networks))
