"""Graphs of a bundle, made when a frame size first comes."""

from __future__ import annotations

from collections.abc import Callable

from stseg_ros.bundle import ModelBundle
from stseg_ros.engines.graph_runner import FrameGraphSpec, GraphOpener, GraphRunner
from stseg_ros.errors import EngineError


def graph_opener(bundle: ModelBundle, open_model: Callable[[bytes], GraphRunner]) -> GraphOpener:
    """Join writing a graph and opening it.

    Args:
        bundle: the verified bundle.
        open_model: opens a serialised ONNX model on a backend; may raise EngineError.

    Returns:
        What makes and opens the graph of a frame size.

    Raises:
        EngineError: the package onnx, which writes the graphs, is not installed.
    """
    try:
        from stseg_ros.frame_graph.build import build_frame_graph
    except ImportError as err:
        raise EngineError(
            f'onnx is not installed ({err}); pip install onnx, or run the two networks apart'
        ) from err

    def open_graph(spec: FrameGraphSpec) -> GraphRunner:
        return open_model(build_frame_graph(bundle, spec))

    return open_graph
