"""What one demonstration run leaves to be summed up and shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stseg_ros.records import UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DemoFrame:
    """One published frame and its answer.

    Attributes:
        stamp_ns: the frame's stamp.
        published_ns: monotonic time just before it was published.
        received_ns: monotonic time when its mask arrived; None if none came.
        mask_hw: (H, W) uint8 {0, 255} mask that arrived, or None.
        timing: values of its `frame_timing` message by key; empty if none came.
        equals_offline: whether the same frame segmented without ROS gives this mask bit for bit.
        truth_path: mask image {0, 255} of the truth, where there is one.
    """

    stamp_ns: int
    published_ns: int
    received_ns: int | None
    mask_hw: UInt8Array | None
    timing: dict[str, float]
    equals_offline: bool = False
    truth_path: Path | None = None

    @property
    def latency_ms(self) -> float | None:
        """From just before publishing to the mask's arrival, in ms."""
        if self.received_ns is None:
            return None
        return (self.received_ns - self.published_ns) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DemoRun:
    """Everything a demonstration run recorded.

    Attributes:
        title: what was played, for people.
        rate_hz: frames published per second.
        bag: the bag that was played.
        topic: its image topic.
        frames: every published frame in order.
        node: the node's last summary on `/diagnostics`, by key.
    """

    title: str
    rate_hz: float
    bag: Path
    topic: str
    frames: tuple[DemoFrame, ...]
    node: dict[str, str]
