"""What the node says of itself once a second: on /diagnostics, and in the log what is new."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import ROSClock
from std_msgs.msg import Header

from stseg_ros.ros_node.diagnostics import (
    NodeStatus,
    diagnostic_array,
    summarise,
    summary_pairs,
)
from stseg_ros.ros_node.throttle import Throttle
from stseg_ros.ros_node.watches import ClockWatch, Finding, OverloadWatch

if TYPE_CHECKING:
    from rclpy.node import Node

    from stseg_ros.ros_node.camera_input import CameraInput
    from stseg_ros.ros_node.frame_processor import ReceivedImage
    from stseg_ros.ros_node.frame_statistics import FrameStatistics, Window
    from stseg_ros.ros_node.mailbox import Mailbox
    from stseg_ros.ros_node.parameters import NodeParameters
    from stseg_ros.ros_node.session import Session
    from stseg_ros.ros_node.watches import StampWatch


# A few are lost wherever more images come than a busy machine takes.
_LOST_TO_WARN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeView:
    """The node at the moment of a report.

    Attributes:
        state: lifecycle state, or the transition under way.
        problem: what keeps it from working; else empty.
        building: how far the backend has come with building its engines; else empty.
        values: its parameters.
        session: what it holds while configured.
        camera: its subscription while active.
    """

    state: str
    problem: str
    building: str
    values: NodeParameters
    session: Session | None
    camera: CameraInput | None


class Reporter:
    """Judges what was counted and watched, and publishes it; of the diagnostics' thread."""

    def __init__(
        self,
        node: Node,
        statistics: FrameStatistics,
        mailbox: Mailbox[ReceivedImage],
        stamps: StampWatch,
    ) -> None:
        """Create the publisher.

        Args:
            node: the node.
            statistics: its counts.
            mailbox: where it drops images.
            stamps: what was seen of their stamps.
        """
        self._node = node
        self._statistics = statistics
        self._mailbox = mailbox
        self._stamps = stamps
        self._clock = ClockWatch()
        self._overload = OverloadWatch()
        self._throttle = Throttle()
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def report(self, view: NodeView) -> None:
        """Publish a summary, and log what is amiss.

        Args:
            view: the node.
        """
        window = self._statistics.read_window()
        findings = tuple(self._findings(view, window))
        for finding in findings:
            self._log(finding, view.values.log_throttle_s)
        status = self._status(view, findings)
        level, message = summarise(status, window)
        self._publisher.publish(
            diagnostic_array(
                Header(stamp=self._node.get_clock().now().to_msg()),
                name=f'{self._node.get_fully_qualified_name()}: segmentation',
                pairs=summary_pairs(status, window),
                level=level,
                message=message,
                hardware_id=status.device,
            )
        )

    def _status(self, view: NodeView, findings: tuple[Finding, ...]) -> NodeStatus:
        session = view.session
        subscribers = (0, 0) if session is None else session.count_subscribers()
        return NodeStatus(
            state=view.state,
            bundle=view.values.bundle if session is None else session.bundle.name,
            backend='' if session is None else session.segmenter.backend,
            device='' if session is None else session.segmenter.device,
            dropped=self._mailbox.dropped,
            mask_subscribers=subscribers[0],
            frame_timing_subscribers=subscribers[1],
            latency_budget_ms=view.values.latency_budget_ms,
            stamps_backward=self._stamps.backward_total,
            clock_jumps=self._clock.jumps_total,
            problem=view.problem,
            findings=findings,
        )

    def _findings(self, view: NodeView, window: Window) -> Iterator[Finding]:
        """Ask every watch; each is asked in every window."""
        clock = self._node.get_clock()
        assert isinstance(clock, ROSClock)
        found = (
            _engines(view),
            _no_image(view, window),
            _lost_images(view, window),
            self._stamps.read(view.values.stamp_warning_s),
            self._clock.read(
                clock.now().nanoseconds,
                # It goes on while the machine sleeps, as the system clock does.
                time.clock_gettime_ns(time.CLOCK_BOOTTIME),
                simulated=clock.ros_time_is_active,
            ),
            self._overload.read(
                received=window.frames_received,
                masks=window.masks_published,
                dropped_total=self._mailbox.dropped,
                window_s=window.duration_s,
            ),
            _latency_budget(view, window),
        )
        return (finding for finding in found if finding is not None)

    def _log(self, finding: Finding, period_s: float) -> None:
        if self._throttle.admit(f'{finding.key}: {finding.kind}', period_s) is None:
            return
        # Asked for by name each time: rclpy allows one severity to a line of code.
        logger = self._node.get_logger()
        if finding.warn:
            logger.warning(finding.text)
        else:
            logger.info(finding.text)


def _engines(view: NodeView) -> Finding | None:
    if not view.building:
        return None
    return Finding(key='engines', text=view.building, kind='building', warn=False)


def _no_image(view: NodeView, window: Window) -> Finding | None:
    limit_s = view.values.no_image_warning_s
    if view.camera is None or not limit_s or window.silence_s < limit_s:
        return None
    cause = view.camera.explain_silence()
    text = f'no image for {window.silence_s:.0f} s: {cause}'
    return Finding(key='no_image', text=text, kind=cause)


def _lost_images(view: NodeView, window: Window) -> Finding | None:
    if view.camera is None or not window.frames_lost:
        return None
    sent = window.frames_received + window.frames_lost
    return Finding(
        key='lost_images',
        text=f'{window.frames_lost} of {sent} {view.camera.explain_loss()}',
        kind='lost',
        warn=window.frames_lost > _LOST_TO_WARN * sent,
    )


def _latency_budget(view: NodeView, window: Window) -> Finding | None:
    """Tell where most masks are late, so that fewer regions do not help any more."""
    if not view.values.latency_budget_ms or 2 * window.masks_late <= window.masks_published:
        return None
    return Finding(
        key='latency_budget',
        text=f'{window.masks_late} of {window.masks_published} masks came later than '
        f'latency_budget_ms, {view.values.latency_budget_ms:g} ms, the newest with '
        f'{window.regions} regions: allow more, or take a smaller bundle or image',
        kind='late',
    )
