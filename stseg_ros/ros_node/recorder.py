"""Collects what the node publishes, for the demo and the tests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from stseg_ros.records import UInt8Array
from stseg_ros.ros_node.transport import use_large_image_transport
from stseg_ros.sources.image_codec import header_stamp_ns

_DEPTH = 200
_SPIN_S = 0.05


class End(str, Enum):
    """Why recording ended."""

    COUNT = 'all masks came'
    IDLE = 'no further mask came'
    DEADLINE = 'the time was up'
    STOPPED = 'told to stop'


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedMask:
    """One mask message.

    Attributes:
        stamp_ns: stamp of its header, ns since the ROS epoch.
        frame_id: coordinate frame of its header.
        encoding: its encoding.
        receive_monotonic_ns: CLOCK_MONOTONIC time at which the callback had it.
        mask_hw: (H, W) uint8.
    """

    stamp_ns: int
    frame_id: str
    encoding: str
    receive_monotonic_ns: int
    mask_hw: UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedStatus:
    """One diagnostic status.

    Attributes:
        stamp_ns: stamp of its message's header.
        frame_id: coordinate frame of its message's header.
        name: the node and what of it.
        level: 0 is OK, 1 a warning, 2 an error.
        message: the reason in words.
        hardware_id: what it is about.
        values: its keys and values.
    """

    stamp_ns: int
    frame_id: str
    name: str
    level: int
    message: str
    hardware_id: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """Everything collected, in the order of arrival.

    Attributes:
        masks: the masks.
        timings: where each frame's time went.
        diagnostics: the node's summaries.
        end: why recording ended.
    """

    masks: tuple[RecordedMask, ...]
    timings: tuple[RecordedStatus, ...]
    diagnostics: tuple[RecordedStatus, ...]
    end: End


class Recorder:
    """Subscribes to a node's outputs from its creation on; a context manager."""

    def __init__(self, *, namespace: str = '', name: str = 'segmenter') -> None:
        """Join ROS and subscribe.

        Args:
            namespace: the segmenter's namespace.
            name: the segmenter's name; summaries of other nodes are passed over.
        """
        use_large_image_transport()
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node(
            'recorder', context=self._context, namespace=namespace, use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._segmenter = f'{self._node.get_namespace().rstrip("/")}/{name}'
        self._masks: list[RecordedMask] = []
        self._timings: list[RecordedStatus] = []
        self._diagnostics: list[RecordedStatus] = []
        qos = QoSProfile(depth=_DEPTH)
        node = self._node
        node.create_subscription(Image, 'mask', self._on_mask, qos)
        node.create_subscription(DiagnosticArray, 'frame_timing', self._on_timing, qos)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos)

    def __enter__(self) -> Recorder:
        """Return the recorder itself."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave ROS."""
        self.close()

    def close(self) -> None:
        """Leave ROS."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def wait_for_segmenter(self, timeout_s: float) -> bool:
        """Wait until the segmenter is active and sends to this recorder.

        Processes find each other within seconds, not at once, and what is published before that is
        lost to this recorder: play nothing sooner.

        Args:
            timeout_s: the longest to wait.

        Returns:
            Whether it is so.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self._diagnostics or not self._is_served(self._diagnostics[-1].values):
            if time.monotonic() > deadline_s:
                return False
            self._executor.spin_once(timeout_sec=_SPIN_S)
        return True

    def _is_served(self, summary: dict[str, str]) -> bool:
        """Whether the segmenter knows of as many subscribers as there are, this one included."""
        return summary['state'] == 'active' and all(
            int(summary[f'{topic}_subscribers']) >= self._node.count_subscribers(topic)
            for topic in ('mask', 'frame_timing')
        )

    def spin_until(
        self,
        count: int,
        *,
        idle_timeout_s: float,
        deadline_s: float,
        stop: threading.Event | None = None,
    ) -> Recording:
        """Collect until all masks and their timings are there, or no more are to be expected.

        Args:
            count: masks to wait for, counted from the recorder's creation.
            idle_timeout_s: end so long after the latest mask, once there was one.
            deadline_s: end after so long at the latest.
            stop: ends the recording when set.

        Returns:
            Everything collected since the recorder's creation.
        """
        deadline_ns = time.monotonic_ns() + round(deadline_s * 1e9)
        end = None
        while end is None:
            self._executor.spin_once(timeout_sec=_SPIN_S)
            now_ns = time.monotonic_ns()
            if min(len(self._masks), len(self._timings)) >= count:
                end = End.COUNT
            elif stop is not None and stop.is_set():
                end = End.STOPPED
            elif now_ns > deadline_ns:
                end = End.DEADLINE
            elif self._masks and now_ns - self._latest_ns() > idle_timeout_s * 1e9:
                end = End.IDLE
        return Recording(
            masks=tuple(self._masks),
            timings=tuple(self._timings),
            diagnostics=tuple(self._diagnostics),
            end=end,
        )

    def _latest_ns(self) -> int:
        return self._masks[-1].receive_monotonic_ns

    def _on_mask(self, message: Any) -> None:
        received_ns = time.monotonic_ns()
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
        self._masks.append(
            RecordedMask(
                stamp_ns=header_stamp_ns(message.header),
                frame_id=message.header.frame_id,
                encoding=message.encoding,
                receive_monotonic_ns=received_ns,
                mask_hw=rows[:, : message.width],
            )
        )

    def _on_timing(self, message: Any) -> None:
        self._timings += _statuses(message)

    def _on_diagnostics(self, message: Any) -> None:
        self._diagnostics += [
            status
            for status in _statuses(message)
            if status.name.startswith(f'{self._segmenter}:')
        ]


def _statuses(message: Any) -> list[RecordedStatus]:
    return [
        RecordedStatus(
            stamp_ns=header_stamp_ns(message.header),
            frame_id=message.header.frame_id,
            name=status.name,
            level=status.level[0],
            message=status.message,
            hardware_id=status.hardware_id,
            values={pair.key: pair.value for pair in status.values},
        )
        for status in message.status
    ]
