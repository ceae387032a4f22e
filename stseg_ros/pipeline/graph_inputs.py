"""Which graph a frame is segmented with, and what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stseg_ros.engines import graph_runner as names
from stseg_ros.engines.graph_runner import FrameGraphSpec
from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO, threshold_byte
from stseg_ros.records import ChannelOrder, Frame

if TYPE_CHECKING:
    import numpy.typing as npt

    from stseg_ros.bundle import Geometry
    from stseg_ros.config import SegmenterSettings

_CHANNELS = {ChannelOrder.RGB: (0, 1, 2), ChannelOrder.BGR: (2, 1, 0)}

# Above any confidence: refine_below of 1 sets no bound, so that sure cells are refined, too.
_NO_BOUND = 2.0


def graph_spec(
    geometry: Geometry, camera_hw: tuple[int, int], settings: SegmenterSettings
) -> FrameGraphSpec:
    """Name the graph that a frame is segmented with.

    Args:
        geometry: the sizes of the networks.
        camera_hw: the frame's size.
        settings: how many regions it may refine, and how they are merged.

    Returns:
        What is fixed in that graph.
    """
    rows, columns = geometry.grid
    regions = min(settings.regions, rows * columns)
    return FrameGraphSpec(camera_hw=camera_hw, regions=regions, fusion=settings.fusion)


def graph_inputs(frame: Frame, settings: SegmenterSettings) -> dict[str, npt.NDArray[Any]]:
    """Collect the inputs of a graph.

    Args:
        frame: the camera's image.
        settings: threshold and bound of the confidence; and whether anything is refined.

    Returns:
        Every input by name, C-contiguous.
    """
    # A rounded byte is above the limit when what was rounded is half a step above it.
    threshold_logit = (threshold_byte(settings.threshold) + 0.5 - ZERO) / STEPS_PER_LOGIT
    inputs: dict[str, npt.NDArray[Any]] = {
        names.FRAME: np.ascontiguousarray(frame.image_hwc),
        names.CHANNELS: np.array(_CHANNELS[frame.channel_order], np.int32),
        names.THRESHOLD: np.array([threshold_logit], np.float32),
    }
    if settings.regions:
        limit = settings.refine_below if settings.refine_below < 1.0 else _NO_BOUND
        inputs[names.REFINE_BELOW] = np.array([limit], np.float32)
    return inputs
