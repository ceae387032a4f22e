"""What stage 1 says of each pixel, joined to the colours that stage 2 sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2

from stseg_ros.records import Int32Array, UInt8Array

_COLOURS = 3

# Gives memory of a shape, which the next caller who asks for that shape is given too.
Buffers = Callable[[tuple[int, ...]], UInt8Array]


def enlarge_planes(
    planes_phw: UInt8Array, size_hw: tuple[int, int], buffer: Buffers
) -> UInt8Array:
    """Resize maps of stage 1 bilinearly.

    Args:
        planes_phw: (P, h, w) uint8.
        size_hw: the size wanted.
        buffer: see `Buffers`.

    Returns:
        (P, H, W) uint8 in memory of `buffer`; each plane as `resize_logit_bytes` makes it.
    """
    enlarged_phw = buffer((len(planes_phw), *size_hw))
    for plane_hw, out_hw in zip(planes_phw, enlarged_phw, strict=True):
        cv2.resize(plane_hw, size_hw[::-1], dst=out_hw, interpolation=cv2.INTER_LINEAR)
    return enlarged_phw


def join_planes(
    regions_khwc: UInt8Array,
    boxes_xyxy: Int32Array,
    planes_hw: Sequence[UInt8Array],
    buffer: Buffers,
) -> UInt8Array:
    """Give regions further channels, cut out of maps of the whole frame.

    Args:
        regions_khwc: (K, h, w, 3) uint8, C-contiguous.
        boxes_xyxy: (K, 4) their half-open boxes in the maps.
        planes_hw: P maps of uint8.
        buffer: see `Buffers`.

    Returns:
        (K, h, w, 3 + P) uint8 in memory of `buffer`.
    """
    count, height, width, _ = regions_khwc.shape
    cut_pkhw = buffer((len(planes_hw), count, height, width))
    for plane_hw, cut_khw in zip(planes_hw, cut_pkhw, strict=True):
        for cut_hw, (left, top, right, bottom) in zip(cut_khw, boxes_xyxy.tolist(), strict=True):
            cut_hw[...] = plane_hw[top:bottom, left:right]
    channels = _COLOURS + len(planes_hw)
    joined = buffer((count * height, width, channels))
    parts = [regions_khwc.reshape(count * height, width, _COLOURS)]
    parts += [cut_khw.reshape(count * height, width, 1) for cut_khw in cut_pkhw]
    same_place = [place for channel in range(channels) for place in (channel, channel)]
    cv2.mixChannels(parts, [joined], same_place)
    return joined.reshape(count, height, width, channels)
