"""Graphs of a bundle, made when a frame size first comes."""

from __future__ import annotations

from collections.abc import Callable

from stseg_ros.bundle import ModelBundle
from stseg_ros.engines.graph_runner import FrameGraphSpec, GraphOpener, GraphRunner
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.errors import EngineError


def graph_opener(
    bundle: ModelBundle, open_model: Callable[[NamedModel], GraphRunner]
) -> GraphOpener:
    """Join writing a graph and opening it.

    Args:
        bundle: the verified bundle.
        open_model: opens a graph on a backend; may raise EngineError.

    Returns:
        What makes and opens the graph of a frame size.

    Raises:
        EngineError: the package onnx, which writes the graphs, is not installed.
    """
    make_graph = graph_maker(bundle)

    def open_graph(spec: FrameGraphSpec) -> GraphRunner:
        return open_model(make_graph(spec))

    return open_graph


def graph_maker(bundle: ModelBundle) -> Callable[[FrameGraphSpec], NamedModel]:
    """Get hold of what writes a bundle's graphs, which needs the package onnx.

    Args:
        bundle: the verified bundle.

    Returns:
        What makes the graph of a specification; it may raise BundleError.

    Raises:
        EngineError: the package onnx is not installed.
    """
    try:
        from stseg_ros.frame_graph.build import build_frame_graph
    except ImportError as err:
        raise EngineError(
            f'onnx is not installed ({err}); pip install onnx, or set execution to stages'
        ) from err

    def make_graph(spec: FrameGraphSpec) -> NamedModel:
        height, width = spec.camera_hw
        name = f'one graph of {width}x{height}, {spec.regions} regions, {spec.fusion}'
        return NamedModel(name=name, content=build_frame_graph(bundle, spec))

    return make_graph
