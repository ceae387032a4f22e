"""The content of the per-frame timing message, for the live node and for offline replay alike."""

from __future__ import annotations

from collections.abc import Iterable

from stseg_ros.records import SegmentationResult

STATUS_NAME = 'segmenter: frame timing'


def timing_key_values(
    result: SegmentationResult, extra: Iterable[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """List what a diagnostic status says of one frame.

    Args:
        result: the segmented frame; its timing includes decode and encode by now.
        extra: further pairs, put last.

    Returns:
        Keys and values in the order of the stages: `<stage>_ms` and `total_ms` in milliseconds
        with three decimals, then `regions`, the number of refined regions.
    """
    timing = result.timing
    durations_ns = {
        'decode_ms': timing.decode_ns,
        'preprocess_ms': timing.preprocess_ns,
        'coarse_ms': timing.coarse_ns,
        'select_ms': timing.select_ns,
        'refine_ms': timing.refine_ns,
        'fuse_ms': timing.fuse_ns,
        'encode_ms': timing.encode_ns,
        'total_ms': timing.total_ns,
    }
    pairs = [(key, f'{nanoseconds / 1e6:.3f}') for key, nanoseconds in durations_ns.items()]
    return [*pairs, ('regions', str(len(result.selection))), *extra]
