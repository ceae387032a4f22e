"""A bundle small enough for tests, whose networks compute what can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stseg_ros.bundle import (
    Geometry,
    LearnedFiles,
    Manifest,
    ModelBundle,
    NetworkFile,
    Networks,
    file_sha256,
    write_manifest,
)
from stseg_ros.config import RecommendedSettings
from stseg_ros.pipeline.merge_table import MergeTable
from stseg_ros.pipeline.selectors.cell_gain import FEATURES, CellGain

WORKING_HW = (128, 256)
GRID = (4, 4)
COARSE_FACTOR = 8


def write_redness_network(
    path: Path,
    size_hw: tuple[int, int],
    *,
    batch: int | None,
    gain: float,
    prior_gain: float | None = None,
) -> None:
    """Write a network whose logits are ``gain * (R - G) / 255`` of each pixel.

    With a `prior_gain` it has a fourth channel, of which it adds ``prior_gain * prior / 255``.
    """
    height, width = size_hw
    gains = [gain, -gain, 0.0] + ([] if prior_gain is None else [prior_gain])
    weights = np.array(gains, np.float32)[:, None] / 255.0
    nodes = [
        helper.make_node('Cast', ['image'], ['real'], to=TensorProto.FLOAT),
        helper.make_node('MatMul', ['real', 'weights'], ['deep']),
        helper.make_node('Squeeze', ['deep', 'axes'], ['logits']),
    ]
    axis = 'n' if batch is None else batch
    graph = helper.make_graph(
        nodes,
        'redness',
        [
            helper.make_tensor_value_info(
                'image', TensorProto.UINT8, [axis, height, width, len(gains)]
            )
        ],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, [axis, height, width])],
        [
            numpy_helper.from_array(weights, 'weights'),
            numpy_helper.from_array(np.array([3], np.int64), 'axes'),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_tiny_bundle(
    root: Path, *, coarse_gain: float = 8.0, refine_gain: float = 8.0, regions: int = 4
) -> Path:
    """Write a bundle that finds red things and return its folder."""
    root.mkdir(parents=True, exist_ok=True)
    geometry = Geometry(
        working_hw=WORKING_HW,
        coarse_factor=COARSE_FACTOR,
        grid=GRID,
        max_regions=GRID[0] * GRID[1],
    )
    write_redness_network(root / 'coarse.onnx', geometry.coarse_hw, batch=1, gain=coarse_gain)
    write_redness_network(root / 'refine.onnx', geometry.region_hw, batch=None, gain=refine_gain)
    manifest = Manifest(
        schema=1,
        name='tiny',
        classes=('background', 'vehicle'),
        geometry=geometry,
        recommended=RecommendedSettings(regions=regions),
        networks=Networks(
            coarse=NetworkFile(file='coarse.onnx', sha256=file_sha256(root / 'coarse.onnx')),
            refine=NetworkFile(file='refine.onnx', sha256=file_sha256(root / 'refine.onnx')),
        ),
    )
    write_manifest(root, manifest)
    return root


def tiny_merge_table() -> MergeTable:
    """Make a table like no other fusion: three quarters of the refined byte, one of the coarse."""
    coarse, refined = np.mgrid[:256, :256]
    return MergeTable(np.rint(0.25 * coarse + 0.75 * refined).astype(np.uint8))


def tiny_gain() -> CellGain:
    """Expect of a cell what vehicle it is, less a little."""
    return CellGain(weights={name: float(name == 'probability') for name in FEATURES}, bias=-0.01)


def add_learned(bundle: ModelBundle) -> ModelBundle:
    """Give a bundle what fusion and selector 'learned' need."""
    merge_path, selector_path = bundle.root / 'merge.npy', bundle.root / 'selector.yaml'
    tiny_merge_table().write(merge_path)
    tiny_gain().write(selector_path)
    merge, selector = (
        NetworkFile(file=path.name, sha256=file_sha256(path))
        for path in (merge_path, selector_path)
    )
    learned = LearnedFiles(merge=merge, selector=selector)
    write_manifest(bundle.root, replace(bundle.manifest, learned=learned))
    return ModelBundle.read(bundle.root)


def read_tiny_bundle(root: Path, **options: float) -> ModelBundle:
    """Write the tiny bundle and read it back."""
    return ModelBundle.read(write_tiny_bundle(root, **options))
