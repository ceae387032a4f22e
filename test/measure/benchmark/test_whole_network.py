"""The refine network, made to see the whole frame."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from support.tiny_bundle import WORKING_HW, add_learned, read_tiny_bundle
from support.tiny_networks import conv_logits, conv_weights, write_conv_network

from stseg_ros.errors import BundleError
from stseg_ros.measure.benchmark.whole_network import enlarge_network, with_whole_network


def test_the_weights_stay_and_see_every_pixel(tmp_path: Path) -> None:
    weights = conv_weights(seed=3)
    small = write_conv_network(tmp_path / 'small.onnx', (8, 16), weights=weights)
    enlarge_network(small, tmp_path / 'large.onnx', (24, 32))
    image = np.random.default_rng(0).integers(0, 256, (1, 24, 32, 3), np.uint8)
    (logits,) = onnxruntime.InferenceSession(tmp_path / 'large.onnx').run(None, {'image': image})
    np.testing.assert_allclose(logits, conv_logits(image, weights), rtol=1e-4, atol=1e-4)


def test_sizes_that_are_no_multiple_are_refused(tmp_path: Path) -> None:
    small = write_conv_network(tmp_path / 'small.onnx', (8, 16))
    with pytest.raises(BundleError, match='no whole multiple'):
        enlarge_network(small, tmp_path / 'large.onnx', (20, 32))


def test_the_bundle_itself_is_left_as_it_is(tmp_path: Path) -> None:
    bundle = read_tiny_bundle(tmp_path / 'tiny')
    before = sorted(path.name for path in bundle.root.iterdir())
    (tmp_path / 'copy').mkdir()
    copy = with_whole_network(bundle, tmp_path / 'copy')
    assert sorted(path.name for path in bundle.root.iterdir()) == before
    assert copy.root == tmp_path / 'copy'
    assert copy.whole_path is not None
    session = onnxruntime.InferenceSession(copy.whole_path)
    assert session.get_inputs()[0].shape == [1, *WORKING_HW, 3]
    # One that has such a network needs no copy.
    assert with_whole_network(copy, tmp_path) is copy


def test_a_network_that_needs_the_coarse_logits_cannot_stand_alone(tmp_path: Path) -> None:
    bundle = read_tiny_bundle(tmp_path / 'tiny')
    geometry = dataclasses.replace(bundle.geometry, prior=True)
    manifest = dataclasses.replace(bundle.manifest, geometry=geometry)
    with pytest.raises(BundleError, match='cannot stand alone'):
        with_whole_network(dataclasses.replace(bundle, manifest=manifest), tmp_path)


def test_without_onnx_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = write_conv_network(tmp_path / 'small.onnx', (8, 16))
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(BundleError, match='pip install onnx'):
        enlarge_network(small, tmp_path / 'large.onnx', (24, 32))


def test_what_was_learned_comes_along(tmp_path: Path) -> None:
    bundle = add_learned(read_tiny_bundle(tmp_path / 'tiny'))
    folder = tmp_path / 'copy'
    folder.mkdir()
    copy = with_whole_network(bundle, folder)
    assert (copy.merge_path, copy.selector_path) == (
        folder / 'merge.npy',
        folder / 'selector.yaml',
    )
