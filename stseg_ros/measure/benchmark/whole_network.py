"""A baseline for bundles that have none: the refine network, made to see the whole frame.

The weights stay. Its masks are not those of a network trained on whole frames, but its time is: it
is the same network on so many more pixels.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, write_manifest
from stseg_ros.errors import BundleError


def with_whole_network(bundle: ModelBundle, folder: Path) -> ModelBundle:
    """Copy a bundle, and add a whole-frame network where it has none.

    Args:
        bundle: the bundle.
        folder: where the copy goes.

    Returns:
        The copy, or the bundle itself where it has such a network.

    Raises:
        BundleError: the refine network sees the coarse logits too, or cannot be enlarged, or onnx
            is not installed.
    """
    if bundle.whole_path is not None:
        return bundle
    if bundle.geometry.prior:
        raise BundleError('its refine network needs the coarse logits and cannot stand alone')
    learned = bundle.merge_path, bundle.selector_path
    for path in filter(None, (bundle.coarse_path, bundle.refine_path, *learned)):
        shutil.copy(path, folder / path.name)
    whole = folder / 'whole_enlarged.onnx'
    enlarge_network(bundle.refine_path, whole, bundle.geometry.working_hw)
    networks = dataclasses.replace(
        bundle.manifest.networks,
        whole=NetworkFile(file=whole.name, sha256=file_sha256(whole)),
    )
    write_manifest(folder, dataclasses.replace(bundle.manifest, networks=networks))
    return ModelBundle.read(folder)


def enlarge_network(source: Path, target: Path, size_hw: tuple[int, int]) -> None:
    """Write a fully convolutional network for another image size, and for one image.

    Args:
        source: the network, with fixed height and width.
        target: the file to write.
        size_hw: the new height and width, whole multiples of the old ones.

    Raises:
        BundleError: the sizes do not fit, the network holds a size that cannot be scaled, or onnx
            is not installed.
    """
    try:
        import onnx
    except ImportError as err:
        raise BundleError(f'onnx is not installed ({err}); pip install onnx') from err
    model = onnx.load(source)
    graph = model.graph
    axes = graph.input[0].type.tensor_type.shape.dim
    old_hw = axes[1].dim_value, axes[2].dim_value
    if min(old_hw) < 1 or size_hw[0] % old_hw[0] or size_hw[1] % old_hw[1]:
        raise BundleError(f'{source}: {size_hw} is no whole multiple of its size {old_hw}')
    times_hw = np.array([size_hw[0] // old_hw[0], size_hw[1] // old_hw[1]])
    for value in (*graph.input, *graph.output):
        axes = value.type.tensor_type.shape.dim
        axes[0].ClearField('dim_param')
        axes[0].dim_value, axes[1].dim_value, axes[2].dim_value = 1, *size_hw
    _scale_resizes(graph, times_hw, source)
    # Sizes between the layers, noted by the exporter.
    del graph.value_info[:]
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as err:
        raise BundleError(f'{source}: cannot be enlarged ({err})') from err
    onnx.save(model, target)


def _scale_resizes(graph: Any, times_hw: npt.NDArray[np.int64], source: Path) -> None:
    """Multiply the heights and widths that layers are resized to."""
    from onnx import numpy_helper

    constants = {constant.name: constant for constant in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    scaled = set()
    for node in graph.node:
        # The fourth input names sizes; with the third, a factor, nothing has to change.
        if node.op_type != 'Resize' or len(node.input) < 4 or not node.input[3]:
            continue
        name, maker = node.input[3], makers.get(node.input[3])
        # Batch and channels, as they come, joined with a fixed height and width.
        if maker is not None and maker.op_type == 'Concat':
            name = maker.input[-1]
        if name not in constants:
            raise BundleError(f'{source}: the size that {node.name!r} resizes to is not fixed')
        if name not in scaled:
            sizes = numpy_helper.to_array(constants[name]).copy()
            sizes[-2:] *= times_hw
            constants[name].CopyFrom(numpy_helper.from_array(sizes, name))
            scaled.add(name)
