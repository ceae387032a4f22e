"""Hears what the node of a soak publishes, and keeps no pixels of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from stseg_ros.ros_node.memory import keep_freed_memory
from stseg_ros.ros_node.ros_process import join_ros, making_a_node
from stseg_ros.ros_node.transport import use_large_image_transport
from stseg_ros.soak.ledger import Ledger, NodeTiming, ReceivedMask
from stseg_ros.sources.image_codec import header_stamp_ns

_DEPTH = 50
_NS_PER_MS = 1e6


class SoakListener:
    """Subscribes to masks, timings and summaries, and enters them in the books.

    Attributes:
        summary: the node's latest summary; empty before the first.
        summaries: how many have come.
        problem: what the latest calls an error; else empty.
    """

    def __init__(self, node: Any, ledger: Ledger) -> None:
        """Subscribe; `open_listener` makes one.

        Args:
            node: a node in the segmenter's namespace.
            ledger: the books.
        """
        self.summary: dict[str, str] = {}
        self.summaries = 0
        self.problem = ''
        self._node = node
        self._ledger = ledger
        self._status = f'{node.get_namespace().rstrip("/")}/segmenter: segmentation'
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        qos = QoSProfile(depth=_DEPTH)
        # rclpy of Humble hands on the message alone.
        on_mask = self._on_mask if hasattr(Subscription, 'CallbackType') else self._on_bare_mask
        node.create_subscription(Image, 'mask', on_mask, qos)
        node.create_subscription(DiagnosticArray, 'frame_timing', self._on_timing, qos)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos)

    def listen(self, seconds: float) -> None:
        """Take what comes within a time.

        Args:
            seconds: how long.
        """
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def is_served(self) -> bool:
        """Whether the segmenter is active and knows that this listener hears it."""
        return self.summary.get('state') == 'active' and all(
            int(self.summary[f'{topic}_subscribers']) >= self._node.count_subscribers(topic) > 0
            for topic in ('mask', 'frame_timing')
        )

    def is_building(self) -> bool:
        """Whether the segmenter is still building its engines."""
        return self.summary.get('engines', 'ok') != 'ok'

    def close(self) -> None:
        """Stop listening."""
        self._executor.shutdown()

    def _on_bare_mask(self, message: Any) -> None:
        self._on_mask(message, {})

    def _on_mask(self, message: Any, info: Mapping[str, Any]) -> None:
        self._ledger.note_mask(
            ReceivedMask(
                stamp_ns=header_stamp_ns(message.header),
                received_ns=_arrival_ns(info),
                size_hw=(message.height, message.width),
            )
        )

    def _on_timing(self, message: Any) -> None:
        values = {pair.key: pair.value for pair in message.status[0].values}
        waiting_ms = float(values['queue_ms'])
        self._ledger.note_timing(
            header_stamp_ns(message.header),
            NodeTiming(
                received_ns=round(float(values['received_ms']) * _NS_PER_MS),
                taking_ms=float(values.get('taking_ms', 0.0)),
                waiting_ms=waiting_ms,
                processing_ms=float(values['node_ms']) - waiting_ms,
            ),
        )

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            if status.name == self._status:
                self.summary = {pair.key: pair.value for pair in status.values}
                self.summaries += 1
                self.problem = status.message if status.level == DiagnosticStatus.ERROR else ''
                self._ledger.note_counts(self.summary)


def _arrival_ns(info: Mapping[str, Any]) -> int:
    """Say when a message was there, in CLOCK_MONOTONIC.

    That is when the middleware had it: this process has other things to do, and what a message
    waits for them is no fault of the node.
    """
    now_ns = time.monotonic_ns()
    arrived_ns = info.get('received_timestamp')
    return now_ns - max(time.time_ns() - arrived_ns, 0) if arrived_ns else now_ns


@contextmanager
def open_listener(*, namespace: str, domain_id: int, ledger: Ledger) -> Iterator[SoakListener]:
    """Listen for a `with` block.

    Args:
        namespace: the segmenter's namespace.
        domain_id: the ROS domain of the soak.
        ledger: the books.

    Yields:
        The listener.

    Raises:
        ConfigError: ROS cannot start or make a node, by what was asked of it.
    """
    keep_freed_memory()
    use_large_image_transport()
    context = rclpy.Context()
    join_ros(None, context=context, domain_id=domain_id)
    try:
        with making_a_node(context):
            node = rclpy.create_node(
                'stseg_soak', context=context, namespace=namespace, use_global_arguments=False
            )
        listener = SoakListener(node, ledger)
        try:
            yield listener
        finally:
            listener.close()
            node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
