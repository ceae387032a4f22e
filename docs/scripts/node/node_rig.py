"""The running node of measure_node.py, with an echo beside it and a camera before it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from node_collector import ECHO, NODE, PATIENCE_S, POLL_S, Collector, wait_for
from node_processes import (
    CameraProcess,
    KnownProcess,
    cpu_s,
    page_faults,
    ros_arguments,
    running_echo,
)

from stseg_ros.errors import StsegError
from stseg_ros.measure.node.exchanges import Exchange, join
from stseg_ros.ros_node.memory import keep_freed_memory
from stseg_ros.ros_node.transport import use_large_image_transport

SEGMENTER = 'stseg_ros.ros_node.segmenter_node'

# What is on its way when the camera has ended gets this long without any further mask.
_IDLE_S = 3.0
_MEETING_HZ = 10.0
# Domains below 101 keep clear of the ports that Linux hands out by itself.
_DOMAINS = range(40, 100)
_NS_PER_S = 1e9


class Rig:
    """The running processes.

    Attributes:
        collector: what came back.
    """

    def __init__(
        self,
        node: KnownProcess,
        camera: CameraProcess,
        collector: Collector,
        echo_pid: int | None,
    ) -> None:
        """Take the running processes."""
        self._echo_pid = echo_pid
        self._node = node
        self._camera = camera
        self.collector = collector

    def exchange(
        self, place: str, *, rate_hz: float, count: int, first: int = 0
    ) -> list[Exchange]:
        """Publish images and collect what comes back.

        Args:
            place: `NODE` or `ECHO`.
            rate_hz: images per second.
            count: how many.
            first: number of the first image in the bag.

        Returns:
            One record per image, in order.

        Raises:
            StsegError: a process has ended.
        """
        self._node.check_alive()
        played = self._camera.play(place, rate_hz=rate_hz, count=count, first=first)
        stamps_ns = played['stamps_ns']
        self._wait_for_answers(stamps_ns, timed=place == NODE)
        self._node.check_alive()
        exchanges = join(
            stamps_ns, played['published_ns'], self.collector.masks, self.collector.timings, first
        )
        for stamp_ns in stamps_ns:
            self.collector.masks.pop(stamp_ns, None)
            self.collector.timings.pop(stamp_ns, None)
        return exchanges

    def wait_for_mask(self, place: str) -> None:
        """Send images until one comes back.

        Args:
            place: `NODE` or `ECHO`.

        Raises:
            StsegError: none does, or a process has ended.
        """
        deadline_s = time.monotonic() + PATIENCE_S
        while self.exchange(place, rate_hz=_MEETING_HZ, count=2)[-1].received_ns is None:
            if time.monotonic() > deadline_s:
                raise StsegError(f'{place} answers no image; see its log')

    def counts(self) -> dict[str, str]:
        """Wait for a summary of the node that was made from now on."""
        seen = len(self.collector.summaries)
        # The first that comes may have been on its way already.
        wait_for(lambda: len(self.collector.summaries) > seen + 1, 'a summary of the node')
        return self.collector.summaries[-1]

    def node_cpu_s(self) -> float:
        """Return the processor time that the node has used so far."""
        return cpu_s(self._node.pid)

    def page_faults(self, place: str) -> int:
        """Return how many pages of memory a process was given so far.

        Args:
            place: `NODE`, or `ECHO` where there is one.
        """
        pid = self._node.pid if place == NODE else self._echo_pid
        assert pid is not None
        return page_faults(pid)

    def _wait_for_answers(self, stamps_ns: list[int], *, timed: bool) -> None:
        collector, asked_ns = self.collector, time.monotonic_ns()
        while True:
            missing = [
                stamp_ns
                for stamp_ns in stamps_ns
                if stamp_ns not in collector.masks or (timed and stamp_ns not in collector.timings)
            ]
            if not missing:
                return
            quiet_ns = time.monotonic_ns() - max(asked_ns, collector.latest_ns)
            if quiet_ns > _IDLE_S * _NS_PER_S:
                return
            time.sleep(POLL_S)


@contextmanager
def running_rig(
    bag: Path,
    folder: Path,
    parameters: Mapping[str, object],
    *,
    module: str = SEGMENTER,
    echo: bool = True,
) -> Iterator[Rig]:
    """Start everything, and end it after the `with` block.

    Args:
        bag: what the camera shows.
        folder: gets the logs.
        parameters: of the node.
        module: what to run as the node.
        echo: whether to start an echo.

    Yields:
        The rig; node and echo have answered an image each.

    Raises:
        StsegError: a process has ended, or does not answer.
    """
    keep_freed_memory()
    use_large_image_transport()
    os.environ['ROS_DOMAIN_ID'] = str(_DOMAINS[os.getpid() % len(_DOMAINS)])
    with ExitStack() as stack:
        node = KnownProcess('node', module, ros_arguments(NODE, parameters), folder / 'node.log')
        stack.callback(node.stop)
        collector = Collector()
        stack.callback(collector.close)
        echo_pid = stack.enter_context(running_echo(folder / 'echo.log')) if echo else None
        camera = CameraProcess(bag, folder / 'camera.log')
        stack.callback(camera.close)
        rig = Rig(node, camera, collector, echo_pid)
        for place in (NODE, ECHO) if echo else (NODE,):
            rig.wait_for_mask(place)
        yield rig
