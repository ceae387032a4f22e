"""Resizing inside the graph, as `stseg_ros.pipeline.preprocess` does on the host.

OpenCV's bilinear resizing and ONNX's with half-pixel centres are the same but for rounding. The
host's pixels are bytes after every step, with fixed-point weights; here they stay float32. Grey
levels differ by a third of one (root mean square). Rounding them here, too, costs nodes and does
not bring the masks closer together.
"""

from __future__ import annotations

import numpy as np

from stseg_ros.frame_graph.graph_writer import GraphWriter
from stseg_ros.pipeline.preprocess import coarse_samples, samples_per_pixel

Size = tuple[int, int]

_COLOURS = 3


def shrink_to_coarse(graph: GraphWriter, planes: str, camera_hw: Size, coarse_hw: Size) -> str:
    """Shrink a frame to the coarse network's input.

    Args:
        graph: gets the nodes.
        planes: (1, 3, H, W) float32 camera image.
        camera_hw: its size.
        coarse_hw: the coarse network's input size.

    Returns:
        (1, 3, h, w) float32.
    """
    times, step = coarse_samples(camera_hw, coarse_hw)
    height, width = camera_hw
    if step > 1:
        first = (step - 1) // 2
        # First, end, axis and step.
        slicing = [graph.constant([value], np.int64) for value in (first, height, 2, step)]
        planes = graph.node('Slice', planes, *slicing)
        height = len(range(first, height, step))
    samples_hw = coarse_hw[0] * times, coarse_hw[1] * times
    planes = resize(graph, planes, (height, width), samples_hw, _COLOURS)
    # The host halves again and again, which is the same mean.
    return average(graph, planes, (times, times))


def resize_to_working(graph: GraphWriter, planes: str, camera_hw: Size, working_hw: Size) -> str:
    """Resize a frame to the working size.

    Args:
        graph: gets the nodes.
        planes: (1, 3, H, W) float32 camera image.
        camera_hw: its size.
        working_hw: the working size.

    Returns:
        (1, 3, h, w) float32.
    """
    rows, columns = samples_per_pixel(camera_hw, working_hw)
    samples_hw = working_hw[0] * rows, working_hw[1] * columns
    planes = resize(graph, planes, camera_hw, samples_hw, _COLOURS)
    return average(graph, planes, (rows, columns))


def resize(graph: GraphWriter, planes: str, from_hw: Size, to_hw: Size, channels: int) -> str:
    """Resize bilinearly, with half-pixel centres.

    Args:
        graph: gets the nodes.
        planes: (1, C, *from_hw) float32.
        from_hw: its size.
        to_hw: the size wanted.
        channels: C.

    Returns:
        (1, C, *to_hw) float32; the same tensor where the sizes are equal.
    """
    if from_hw == to_hw:
        return planes
    # Sizes, because a scale in float32 may round to one pixel less.
    size = graph.constant([1, channels, *to_hw], np.int64)
    mode = {'mode': 'linear', 'coordinate_transformation_mode': 'half_pixel'}
    return graph.node('Resize', planes, '', '', size, **mode)


def average(graph: GraphWriter, planes: str, block_hw: Size) -> str:
    """Average over blocks.

    Args:
        graph: gets the nodes.
        planes: (1, C, H, W) float32.
        block_hw: the blocks' size, which divides H and W.

    Returns:
        (1, C, H / rows, W / columns) float32; the same tensor where blocks are single pixels.
    """
    if block_hw == (1, 1):
        return planes
    return graph.node('AveragePool', planes, kernel_shape=[*block_hw], strides=[*block_hw])
