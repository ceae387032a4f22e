"""Receives images from another process and counts them, for `stseg doctor`."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import Image

from stseg_ros.doctor.probe import describe_end
from stseg_ros.doctor.transport_verdict import (
    AS_IT_IS,
    FAST_DDS,
    WITH_PROFILE,
    Delivery,
    Transport,
)
from stseg_ros.locations import data_file
from stseg_ros.ros_node.bag_node import plain_node
from stseg_ros.ros_node.shared_segments import mapped_segments
from stseg_ros.ros_node.transport import (
    PROFILE,
    large_image_environment,
    profile_variable,
    use_large_image_transport,
)

if TYPE_CHECKING:
    from rclpy.node import Node

# More than the node has, so that this process may be late for a moment: what is to be counted is
# what the transport loses.
_DEPTH = 10
_SPIN_S = 0.05
_IDLE_S = 1.0
_END_S = 10.0
_SLOWEST_HZ = 2.0

_CHOICES = (
    'FASTDDS_BUILTIN_TRANSPORTS',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'CYCLONEDDS_URI',
    'ZENOH_SESSION_CONFIG_URI',
)


def measure(
    environ: Mapping[str, str], *, sizes: Sequence[str], images: int, patience_s: float
) -> tuple[Transport, list[Delivery]]:
    """Have another process send images, and count them.

    It sends as a camera driver does that knows nothing of us, and then, where that differs, as one
    that was given our Fast DDS profile.

    Args:
        environ: the camera driver's environment.
        sizes: of the images, such as '1280x720'.
        images: how many of each size, 30 a second.
        patience_s: how long the two processes may take to find each other.

    Returns:
        What is known of the transport, and one delivery per sender.
    """
    # Before this process changes its own, which may be the same.
    plain, ours = dict(environ), large_image_environment(environ)
    # As the node does: the receiving side never lacks it.
    use_large_image_transport()
    rmw = get_rmw_implementation_identifier()
    setups = {AS_IT_IS: plain}
    if ours and rmw.startswith(FAST_DDS):
        setups[WITH_PROFILE] = {**plain, **ours}
    transport = Transport(
        rmw=rmw,
        profile_setting=f'{profile_variable()}={data_file(PROFILE)}',
        chosen={name: plain[name] for name in _CHOICES if plain.get(name)},
    )
    return transport, [
        _deliver(setup, setting, sizes, images, patience_s) for setup, setting in setups.items()
    ]


class _Counter:
    """Counts the images of a topic by size.

    Attributes:
        received: images by size.
        greeted: whether a small one has come, which is not counted.
        latest_s: when the latest came.
    """

    def __init__(self, node: Node, topic: str, sizes: Sequence[str]) -> None:
        self.received = dict.fromkeys(sizes, 0)
        self.greeted = False
        self.latest_s = time.monotonic()
        self._pixels = {size: _pixel_bytes(size) for size in sizes}
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        qos = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        # Not unpacked: that takes longer than to receive them.
        node.create_subscription(Image, topic, self._on_message, qos, raw=True)

    def spin_once(self) -> None:
        """Take what has come, or wait a moment."""
        self._executor.spin_once(timeout_sec=_SPIN_S)

    def close(self) -> None:
        """Stop taking messages."""
        self._executor.shutdown()

    def _on_message(self, message: bytes) -> None:
        self.latest_s = time.monotonic()
        # A message holds little beside its pixels.
        fitting = [size for size, pixels in self._pixels.items() if pixels <= len(message)]
        if fitting:
            self.received[max(fitting, key=self._pixels.__getitem__)] += 1
        else:
            self.greeted = True


def _deliver(
    setup: str,
    environment: Mapping[str, str],
    sizes: Sequence[str],
    images: int,
    patience_s: float,
) -> Delivery:
    """Start a sender and count what comes of it."""
    # Under a name of its own, so that no node of the user's hears of it.
    topic = f'/stseg_doctor_{os.getpid()}_{time.monotonic_ns()}/image'
    with plain_node('stseg_doctor') as node:
        counter = _Counter(node, topic, sizes)
        try:
            with _sender(environment, topic, images, sizes) as sender:
                return _count(setup, counter, sender, images, patience_s)
        finally:
            counter.close()


def _count(
    setup: str,
    counter: _Counter,
    sender: subprocess.Popen[str],
    images: int,
    patience_s: float,
) -> Delivery:
    assert sender.stdin is not None
    deadline_s = time.monotonic() + patience_s
    while not counter.greeted:
        counter.spin_once()
        if sender.poll() is not None:
            return Delivery(setup=setup, failure=f'the sender {describe_end(sender.returncode)}')
        if time.monotonic() > deadline_s:
            return Delivery(
                setup=setup,
                failure=f'two processes heard nothing of each other in {patience_s:.0f} s',
            )
    try:
        sender.stdin.write('go\n')
        sender.stdin.flush()
    except BrokenPipeError:
        return Delivery(setup=setup, failure=f'the sender {describe_end(sender.wait(_END_S))}')
    deadline_s = time.monotonic() + images * len(counter.received) / _SLOWEST_HZ
    report = None
    while report is None and time.monotonic() < deadline_s and sender.poll() is None:
        counter.spin_once()
        report = _read_report(sender)
    if report is None:
        return Delivery(setup=setup, failure='the sender did not get its images sent')
    sent: dict[str, int] = report['sent']
    counter.latest_s = time.monotonic()
    while counter.received != sent and time.monotonic() - counter.latest_s < _IDLE_S:
        counter.spin_once()
    return Delivery(
        setup=setup,
        sent=sent,
        received=counter.received,
        carried_by=_carrier(set(report['segments'])),
    )


@contextmanager
def _sender(
    environment: Mapping[str, str], topic: str, images: int, sizes: Sequence[str]
) -> Iterator[subprocess.Popen[str]]:
    """Run the sender for a `with` block; it ends by itself when its input is closed."""
    process = subprocess.Popen(
        [
            sys.executable,
            *('-m', 'stseg_ros.ros_node.doctor_sender'),
            *('--topic', topic, '--images', str(images), *sizes),
        ],
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        try:
            process.stdin.close()
            process.wait(_END_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()


def _read_report(sender: subprocess.Popen[str]) -> dict[str, Any] | None:
    """Take the sender's report once it is there."""
    assert sender.stdout is not None
    if not select.select([sender.stdout], [], [], 0.0)[0]:
        return None
    line = sender.stdout.readline()
    report: dict[str, Any] | None = json.loads(line) if line else None
    return report


def _carrier(segments: set[str]) -> str:
    """Tell from the sender's segments what carried its images; empty where it has none."""
    if not segments:
        return ''
    return 'shared memory' if segments & mapped_segments() else 'the network (UDP or TCP)'


def _pixel_bytes(size: str) -> int:
    width, height = map(int, size.split('x'))
    return 3 * width * height
