"""A bundle whose coarse network gives features, with networks that can be computed by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.tiny_bundle import COARSE_FACTOR, read_tiny_bundle

from stseg_ros.bundle import ModelBundle, NetworkFile, Networks, file_sha256, write_manifest

# Rows are what a network gives, columns what it sees; all divided by 255.
# Of red, green and blue: the logits, and two features.
COARSE_GAINS = np.array([[8.0, -8.0, 0.0], [0.0, 6.0, -6.0], [-4.0, 0.0, 4.0]], np.float32)
# Of those and then the three of the coarse network as bytes; the offset of 128 cancels out.
REFINE_GAINS = np.array([[3.0, 0.0, -2.0, -12.0, 7.0, 5.0]], np.float32)


def write_linear_network(
    path: Path, size_hw: tuple[int, int], gains: np.ndarray, *, batch: int | None
) -> Path:
    """Write a network whose planes are sums of its channels: (N, h, w), or (N, P, h, w)."""
    height, width = size_hw
    planes, channels = gains.shape
    axis = 'n' if batch is None else batch
    last = (
        helper.make_node('Squeeze', ['sums', 'last'], ['logits'])
        if planes == 1
        else helper.make_node('Transpose', ['sums'], ['logits'], perm=[0, 3, 1, 2])
    )
    nodes = [
        helper.make_node('Cast', ['image'], ['real'], to=TensorProto.FLOAT),
        helper.make_node('MatMul', ['real', 'gains'], ['sums']),
        last,
    ]
    initializers = [numpy_helper.from_array(gains.T.astype(np.float32) / 255.0, 'gains')]
    if planes == 1:
        initializers.append(numpy_helper.from_array(np.array([3], np.int64), 'last'))
    given = [axis, height, width] if planes == 1 else [axis, planes, height, width]
    graph = helper.make_graph(
        nodes,
        'linear',
        [
            helper.make_tensor_value_info(
                'image', TensorProto.UINT8, [axis, height, width, channels]
            )
        ],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, given)],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def read_feature_bundle(root: Path) -> ModelBundle:
    """Write a bundle with two features, and read it back."""
    bundle = read_tiny_bundle(root)
    geometry = dataclasses.replace(bundle.geometry, prior=True, prior_features=2)
    write_linear_network(bundle.coarse_path, geometry.coarse_hw, COARSE_GAINS, batch=1)
    write_linear_network(bundle.refine_path, geometry.region_hw, REFINE_GAINS, batch=None)
    networks = Networks(
        coarse=NetworkFile(file='coarse.onnx', sha256=file_sha256(bundle.coarse_path)),
        refine=NetworkFile(file='refine.onnx', sha256=file_sha256(bundle.refine_path)),
    )
    write_manifest(
        root, dataclasses.replace(bundle.manifest, geometry=geometry, networks=networks)
    )
    return ModelBundle.read(root)


def block_image(seed: int = 0) -> np.ndarray:
    """Draw (128, 256, 3) random colours, each on one coarse pixel, so that shrinking is exact."""
    small = np.random.default_rng(seed).integers(0, 256, (16, 32, 3), np.uint8)
    return np.repeat(np.repeat(small, COARSE_FACTOR, axis=0), COARSE_FACTOR, axis=1)


def enlarged(values: np.ndarray) -> np.ndarray:
    """Interpolate linearly between centres of coarse pixels, level beyond the outer ones."""
    for axis in (0, 1):
        count = values.shape[axis]
        centres = (np.arange(count) + 0.5) * COARSE_FACTOR - 0.5
        wanted = np.arange(count * COARSE_FACTOR)
        values = np.apply_along_axis(
            lambda line, wanted=wanted, centres=centres: np.interp(wanted, centres, line),
            axis,
            values,
        )
    return values


def coarse_bytes(rgb: np.ndarray) -> np.ndarray:
    """Compute (3, 16, 32) what the coarse network gives of a block image, as bytes."""
    small = rgb[::COARSE_FACTOR, ::COARSE_FACTOR].astype(float)
    planes = np.einsum('pc,yxc->pyx', COARSE_GAINS.astype(float), small) / 255.0
    return np.clip(np.rint(128.0 + 16.0 * planes), 0.0, 255.0)


def refined_everywhere(rgb: np.ndarray) -> np.ndarray:
    """Compute (128, 256) what the refine network gives of every pixel of a block image."""
    said = [np.rint(enlarged(plane)) for plane in coarse_bytes(rgb)]
    seen = np.dstack([rgb.astype(float), *said])
    return np.einsum('c,yxc->yx', REFINE_GAINS[0].astype(float), seen) / 255.0
