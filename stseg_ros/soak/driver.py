"""Drives a soak: orders the camera about, and keeps everything that comes of it in the books."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.errors import StsegError
from stseg_ros.soak.frames import RAW
from stseg_ros.soak.ledger import GREETING, WARM_UP, Ledger, SentFrame
from stseg_ros.soak.schedule import NEW_PROCESS, NEW_PUBLISHER, Step

if TYPE_CHECKING:
    from stseg_ros.ros_node.soak_listener import SoakListener
    from stseg_ros.soak.processes import CameraProcess, NodeProcess

_SLICE_S = 0.05
_START_S = 60.0
_OBEY_S = 30.0
_SETTLE_S = 2.5
_SETTLING_IMAGES = 2
_SUM_UP_S = 5.0
_GREETINGS = 60
_GREETING_HW = (48, 64)
_GREETING_S = 1.0


class NodeEndedError(StsegError):
    """The node ended in the middle of a soak."""


class Driver:
    """One soak under way.

    Attributes:
        publisher_restarts: how often the camera opened its publisher anew.
        process_restarts: how often the camera started anew.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        listener: SoakListener,
        node: NodeProcess,
        start_camera: Callable[[], CameraProcess],
        transport: str,
        logs: Path,
        tick: Callable[[], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        """Put the parts together.

        Args:
            ledger: the books.
            listener: hears the node.
            node: the node.
            start_camera: starts a camera.
            transport: 'raw' or 'compressed'.
            logs: folder of the logs, for messages.
            tick: called many times a second.
            is_stopped: whether the soak is to end early.
        """
        self.publisher_restarts = 0
        self.process_restarts = 0
        self._ledger = ledger
        self._listener = listener
        self._node = node
        self._start_camera = start_camera
        self._camera: CameraProcess | None = None
        self._encoding = 'bgr8' if transport == RAW else 'jpeg'
        self._logs = logs
        self._tick = tick
        self._is_stopped = is_stopped

    def await_node(self) -> None:
        """Wait until the node is active and listener and node have found each other.

        Raises:
            StsegError: it ended, it cannot start, or it is not found in time.
            KeyboardInterrupt: the soak was stopped.
        """
        deadline_s = time.monotonic() + _START_S
        while not self._listener.is_served():
            self._listener.listen(_SLICE_S)
            self._node.check_alive()
            if self._is_stopped():
                raise KeyboardInterrupt
            if self._listener.problem:
                raise StsegError(
                    f'the node does not start: {self._listener.problem}; see {self._logs}/node.log'
                )
            if self._listener.is_building():
                deadline_s = time.monotonic() + _START_S
            if time.monotonic() > deadline_s:
                raise StsegError(
                    f'the node is not active after {_START_S:.0f} s; see {self._logs}/node.log'
                )

    def open_camera(self) -> None:
        """Start the camera and have the node hear it.

        Raises:
            StsegError: the camera ended, or the node does not hear it.
        """
        self._camera = self._start_camera()
        self._open_publisher()

    def finish(self) -> None:
        """Let what is under way arrive and the node sum up, and end the camera."""
        self.settle()
        # One may be on its way already.
        seen = self._listener.summaries
        self._wait_for(lambda: self._listener.summaries >= seen + 2, _SUM_UP_S)
        self.abandon_camera()

    def abandon_camera(self) -> None:
        """End the camera at once, if there is one."""
        if self._camera is not None:
            camera, self._camera = self._camera, None
            camera.close()

    def run(self, step: Step, index: int) -> None:
        """Do one step of the schedule, or as much of it as there is until the soak is to end.

        Args:
            step: the step.
            index: its number, or `WARM_UP`.

        Raises:
            NodeEndedError: the node has ended.
            StsegError: the camera has ended, or the node does not hear it.
        """
        if step.before == NEW_PUBLISHER:
            self.settle()
            self._obey('close')
            self._open_publisher()
            self.publisher_restarts += 1
        elif step.before == NEW_PROCESS:
            self.settle()
            self.abandon_camera()
            self.open_camera()
            self.process_restarts += 1
        if self._is_stopped():
            return
        end_s = time.monotonic() + step.seconds
        self._send(step, index, max(1, round(step.seconds * step.rate_hz)))
        # The last image is sent before the end, and of a slow step it may be the only one.
        self._wait_for(self._is_stopped, end_s - time.monotonic())

    def settle(self) -> bool:
        """Wait until every image is a mask or counted.

        An image that is lost on its way is noticed by the number of the next one: where something
        is missing, one more image is sent.

        Returns:
            Whether the books are even.
        """
        for _ in range(_SETTLING_IMAGES):
            if self._wait_for(self._is_even, _SETTLE_S):
                return True
            self._send(self._small_step(), WARM_UP, 1)
        return self._wait_for(self._is_even, _SETTLE_S)

    def _open_publisher(self) -> None:
        """Open the publisher, and greet until the node answers, or the soak is to end.

        Processes find each other within seconds, not at once. What is sent before cannot be
        counted by the node, which knows nothing of it; so a greeting counts only if it was heard.
        """
        self._obey('open')
        for _ in range(_GREETINGS):
            (greeting,) = self._send(self._small_step(), GREETING, 1)
            answered = self._wait_for(partial(self._ledger.has_mask, greeting), _GREETING_S)
            if answered or self._is_stopped():
                return
        raise StsegError(
            f'the node answers none of {_GREETINGS} images; see {self._logs}/node.log'
        )

    def _small_step(self) -> Step:
        return Step(
            seconds=1.0,
            rate_hz=1.0,
            size_hw=_GREETING_HW,
            encoding=self._encoding,
            bad_share=0.0,
        )

    def _is_even(self) -> bool:
        return self._ledger.balance().uncounted == 0

    def _send(self, step: Step, index: int, images: int) -> list[int]:
        """Have the camera send images, and return their stamps."""
        stamps_ns: list[int] = []

        def enter(sent: list[tuple[int, int, str]]) -> None:
            frame_s = 1.0 / step.rate_hz
            if len(sent) > 1:
                # A camera that is late sends fewer than it should.
                frame_s = max(frame_s, (sent[-1][1] - sent[0][1]) / 1e9 / (len(sent) - 1))
            for stamp_ns, sent_ns, fault in sent:
                stamps_ns.append(stamp_ns)
                self._ledger.note_sent(
                    SentFrame(
                        stamp_ns=stamp_ns,
                        sent_ns=sent_ns,
                        size_hw=step.size_hw,
                        fault=fault,
                        step=index,
                        frame_s=frame_s,
                    )
                )

        self._obey(
            'send',
            enter,
            can_be_hurried=images > 1,
            images=images,
            rate_hz=step.rate_hz,
            size_hw=step.size_hw,
            encoding=step.encoding,
            bad_share=step.bad_share,
            seed=step.seed,
        )
        return stamps_ns

    def _obey(
        self,
        do: str,
        enter: Callable[[list[tuple[int, int, str]]], None] | None = None,
        *,
        can_be_hurried: bool = False,
        **order: Any,
    ) -> None:
        """Give the camera an order and wait until it is done, or cut short by a stop."""
        camera = self._camera
        assert camera is not None
        camera.order(do=do, **order)
        last_s = time.monotonic()
        hurried = False
        while time.monotonic() - last_s < _OBEY_S:
            for answer in camera.answers():
                last_s = time.monotonic()
                if 'done' in answer:
                    return
                assert enter is not None
                enter(answer['sent'])
            if can_be_hurried and self._is_stopped() and not hurried:
                camera.order()
                hurried = True
            self._pump()
        raise StsegError(f'the camera process of the soak said nothing for {_OBEY_S:.0f} s')

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Go on until a condition holds, or the time is up; return whether it holds."""
        deadline_s = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline_s:
                return False
            self._pump()
        return True

    def _pump(self) -> None:
        self._listener.listen(_SLICE_S)
        self._tick()
        if self._node.has_ended():
            raise NodeEndedError(f'the node has ended by itself; see {self._logs}/node.log')
