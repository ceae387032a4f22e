"""Records topics to a bag: every message as it was published, at the time it came."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from tqdm import tqdm

from stseg_ros.errors import DataError
from stseg_ros.ros_node.bag_node import find_message_type, plain_node
from stseg_ros.ros_node.transport import use_large_image_transport
from stseg_ros.sources.bag_messages import typestore
from stseg_ros.sources.bag_writer import BagWriter

if TYPE_CHECKING:
    from rclpy.node import Node

_DEPTH = 200
_SPIN_S = 0.1
_GRAPH_PERIOD_S = 0.25
# What has been sent by the time of the stop gets this long to come.
_SETTLE_S = 0.3
_SILENCE_S = 5.0


def record(writer: BagWriter, topics: tuple[str, ...], *, seconds: float | None) -> dict[str, int]:
    """Record until Ctrl-C, SIGTERM or the end of the time; in the main thread only.

    A topic is subscribed to as soon as somebody publishes it, and as reliably as all its
    publishers offer.

    Args:
        writer: the bag, not yet entered; it is written if any message came.
        topics: absolute names.
        seconds: so long after the first message; None has no end of its own.

    Returns:
        Number of messages of each topic.

    Raises:
        DataError: nothing came, a message type is not known here, or the bag cannot be written.
    """
    use_large_image_transport()
    with (
        _stop_requests() as stop,
        writer,
        plain_node('bag_recorder') as node,
        tqdm(unit='message', disable=not sys.stderr.isatty()) as progress,
    ):
        end = 'until Ctrl-C' if seconds is None else f'for {seconds:g} s'
        print(f'recording {", ".join(topics)}, {end}', flush=True)
        recording = _Recording(node, writer, topics, progress.update)
        recording.spin(stop, seconds)
        if not any(recording.counts.values()):
            raise DataError(recording.explain_silence(', so no bag was written'))
    return recording.counts


class _Recording:
    """The subscriptions, and what came.

    Attributes:
        counts: messages of each topic so far.
    """

    def __init__(
        self,
        node: Node,
        writer: BagWriter,
        topics: tuple[str, ...],
        on_message: Callable[[], object],
    ) -> None:
        self.counts = dict.fromkeys(topics, 0)
        self._node = node
        self._writer = writer
        self._on_message = on_message
        self._awaited = list(topics)
        self._first_s: float | None = None

    def spin(self, stop: threading.Event, seconds: float | None) -> None:
        """Record until told to stop, or until the time is up."""
        executor = SingleThreadedExecutor(context=self._node.context)
        executor.add_node(self._node)
        looked_s = -_GRAPH_PERIOD_S
        silent_until_s: float | None = time.monotonic() + _SILENCE_S
        try:
            while not stop.is_set() and not self._is_over(seconds):
                if self._awaited and time.monotonic() - looked_s >= _GRAPH_PERIOD_S:
                    self._subscribe()
                    looked_s = time.monotonic()
                executor.spin_once(timeout_sec=_SPIN_S)
                if silent_until_s is not None and time.monotonic() >= silent_until_s:
                    silent_until_s = None
                    if self._first_s is None:
                        tqdm.write(self.explain_silence(' yet'), file=sys.stderr)
            settled_s = time.monotonic() + _SETTLE_S
            while stop.is_set() and time.monotonic() < settled_s:
                executor.spin_once(timeout_sec=_SPIN_S)
        finally:
            executor.shutdown()

    def explain_silence(self, thus: str) -> str:
        """Say why nothing came, and what of it."""
        found = [topic for topic in self.counts if topic not in self._awaited]
        if found:
            return (
                f'no message came on {", ".join(self.counts)}{thus}; {", ".join(found)} has a '
                'publisher, which sends nothing: does its node get the input it needs?'
            )
        there = sorted(name for name, _ in self._node.get_topic_names_and_types())
        return (
            f'nobody publishes {", ".join(self.counts)}{thus}; topics there are: '
            f'{", ".join(there)}; check --topic and ROS_DOMAIN_ID'
        )

    def _is_over(self, seconds: float | None) -> bool:
        if seconds is None or self._first_s is None:
            return False
        return time.monotonic() - self._first_s > seconds

    def _subscribe(self) -> None:
        """Subscribe to the awaited topics that have publishers by now."""
        for topic in list(self._awaited):
            publishers = self._node.get_publishers_info_by_topic(topic)
            if not publishers:
                continue
            type_name = publishers[0].topic_type
            message_type = find_message_type(type_name)
            if message_type is None or type_name not in typestore().fielddefs:
                raise DataError(f'{topic}: message type {type_name!r} is not known here')
            profiles = [publisher.qos_profile for publisher in publishers]
            reliable = all(q.reliability == ReliabilityPolicy.RELIABLE for q in profiles)
            latched = all(q.durability == DurabilityPolicy.TRANSIENT_LOCAL for q in profiles)
            qos = QoSProfile(
                depth=_DEPTH,
                reliability=(
                    ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
                ),
                durability=(
                    DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
                ),
            )
            self._writer.add_topic(topic, type_name)
            self._node.create_subscription(
                message_type, topic, partial(self._on_bytes, topic), qos, raw=True
            )
            self._awaited.remove(topic)

    def _on_bytes(self, topic: str, cdr: bytes) -> None:
        self._writer.write_serialized(topic, cdr, record_ns=time.time_ns())
        self.counts[topic] += 1
        if self._first_s is None:
            self._first_s = time.monotonic()
        self._on_message()


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event, so that neither cuts a message in two."""
    stop = threading.Event()

    def note(*_: Any) -> None:
        stop.set()

    kept = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
