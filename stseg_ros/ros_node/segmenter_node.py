"""The lifecycle node `segmenter`: camera images in, vehicle masks and timings out."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from stseg_ros.errors import EngineError, StsegError
from stseg_ros.ros_node.camera_input import CameraInput
from stseg_ros.ros_node.diagnostics import Heartbeat
from stseg_ros.ros_node.frame_processor import ReceivedImage
from stseg_ros.ros_node.frame_statistics import FrameStatistics
from stseg_ros.ros_node.mailbox import Mailbox
from stseg_ros.ros_node.memory import settle, unsettle
from stseg_ros.ros_node.networks import Networks, OwnNetworks
from stseg_ros.ros_node.parameter_specs import SPECS
from stseg_ros.ros_node.parameters import declare_parameters, unknown_parameters
from stseg_ros.ros_node.reporter import NodeView, Reporter
from stseg_ros.ros_node.ros_process import (
    RCLError,
    closing_at_the_end,
    making_a_node,
    run_process,
    spin,
)
from stseg_ros.ros_node.session import Session
from stseg_ros.ros_node.throttle import Throttle
from stseg_ros.ros_node.watches import StampWatch
from stseg_ros.sources.image_codec import header_stamp_ns

_HEARTBEAT_S = 1.0
# Least time between two lines about a build.
_BUILD_LOG_S = 10.0


class SegmenterNode(LifecycleNode):
    """See the README for its topics and parameters.

    Callbacks run in the executor's thread, the networks in a thread of the session, and the
    diagnostics in a thread of their own, so that each goes on while another is held up.
    """

    def __init__(self, *, namespace: str = '', networks: Networks | None = None) -> None:
        """Declare the parameters and start the diagnostics.

        Args:
            namespace: full namespace, where the process has several such nodes; empty leaves it to
                the command line.
            networks: opens the networks; None opens them for this node alone.

        Raises:
            ConfigError: a parameter is wrong, or ROS cannot make a node.
        """
        # An argument of the node's own wins over the process's, which is the same for all nodes.
        remapped = ['--ros-args', '-r', f'__ns:={namespace}'] if namespace else None
        with making_a_node():
            super().__init__('segmenter', cli_args=remapped)
        self._networks = OwnNetworks() if networks is None else networks
        self._state = 'unconfigured'
        self._problem = ''
        self._building = ''
        self._session: Session | None = None
        self._input: CameraInput | None = None
        self._mailbox: Mailbox[ReceivedImage] = Mailbox()
        self._statistics = FrameStatistics()
        self._stamps = StampWatch()
        self._values = declare_parameters(self)
        # rclpy declares some by itself, more of them in later versions.
        overridden = [name for name in self._parameter_overrides if not self.has_parameter(name)]
        for line in unknown_parameters(overridden, [spec.name for spec in SPECS]):
            self.get_logger().warning(line)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._fault = self.create_guard_condition(self._leave_active)
        self._reporter = Reporter(self, self._statistics, self._mailbox, self._stamps)
        self._report_throttle = Throttle()
        self._heartbeat = Heartbeat(_HEARTBEAT_S, self._beat, self._on_report_error)
        self._heartbeat.start()
        if self._values.autostart:
            # Not a timer, which would wait for /clock under use_sim_time.
            self._spinning = self.create_guard_condition(self._autostart)
            self._spinning.trigger()

    def close(self) -> None:
        """Free everything and end the threads; the node itself stays to be destroyed."""
        self._heartbeat.stop()
        self._release()

    def tell_unserved(self, problem: str) -> None:
        """Say on /diagnostics that the node's callbacks are called no more; any thread may.

        Args:
            problem: why, and what to do.
        """
        self._problem = problem

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the bundle and create the publishers."""
        return self._transition('configuring', 'inactive', self._configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe, and process images."""
        return self._transition('activating', 'active', self._activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, and finish the image under way."""
        return self._transition('deactivating', 'inactive', self._stop, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the bundle and remove the publishers."""
        return self._transition('cleaning up', 'unconfigured', self._release, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node only answers from then on."""
        return self._transition('shutting down', 'finalized', self._release, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, so that the node can be configured again."""
        return self._transition('recovering', 'unconfigured', self._release, state)

    def _transition(
        self, during: str, after: str, work: Callable[[], None], before: LifecycleState
    ) -> TransitionCallbackReturn:
        """Do a transition's work. rclpy hides what its callbacks raise, so it is reported here."""
        self._state = during
        if during not in ('deactivating', 'recovering'):
            # What made the node deactivate itself, or what failed, is not mended by those.
            self._problem = ''
        try:
            work()
        except StsegError as err:
            self._end_if_stopped()
            self._problem = f'{during} failed: {err}'
            self.get_logger().error(self._problem)
            self._state = before.label
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self._end_if_stopped()
            self._problem = f'{during} failed by an error of stseg_ros: see the log'
            self.get_logger().error(f'{during} failed:\n{traceback.format_exc()}')
            raise
        self._end_if_stopped()
        self._state = after
        return TransitionCallbackReturn.SUCCESS

    def _end_if_stopped(self) -> None:
        """Leave a transition in which a signal has shut ROS down; rclpy lets only this pass."""
        if not self.context.ok():
            raise KeyboardInterrupt

    def _autostart(self) -> None:
        if self._state != 'unconfigured':
            return
        success = TransitionCallbackReturn.SUCCESS
        if self.trigger_configure() == success and self.trigger_activate() == success:
            return
        left = 'activate' if self._state == 'inactive' else 'configure, and then activate'
        self.get_logger().error(
            f'not started. Mend the cause, then: ros2 lifecycle set '
            f'{self.get_fully_qualified_name()} {left}; or start the node again'
        )

    def _configure(self) -> None:
        try:
            self._session = session = Session(
                self,
                self._values,
                self._mailbox,
                self._statistics,
                self._on_crash,
                self._on_build,
                self._networks,
            )
        finally:
            self._building = ''
        self.get_logger().info(f'bundle {session.bundle.name}, {session.segmenter.backend_note}')

    def _activate(self) -> None:
        assert self._session is not None
        self._statistics.restart()
        self._stamps.restart()
        self._session.prepare()
        self._input = CameraInput(
            self, self._values.transport, self._receive, self._statistics.note_lost
        )
        settle()
        self._session.start()
        self.get_logger().info(f'segmenting {self._input.topic}')

    def _stop(self) -> None:
        if self._input is not None:
            self._input.destroy()
            self._input = None
            unsettle()
        if self._session is not None:
            self._session.stop()

    def _release(self) -> None:
        self._stop()
        if self._session is not None:
            session, self._session = self._session, None
            try:
                session.close()
            except StsegError as err:
                # The device may be lost; all else is freed, and networks can be opened anew.
                self.get_logger().warning(f'closing the networks failed: {err}')

    def _receive(self, received: ReceivedImage) -> None:
        self._statistics.note_received()
        self._mailbox.put(received)
        stamp_ns = header_stamp_ns(received.message.header)
        self._stamps.note(stamp_ns, self.get_clock().now().nanoseconds)

    def _on_build(self, share: float, phase: str) -> None:
        """The backend builds its engines, for minutes perhaps; runs in the inference thread."""
        self._building = (
            f'building the engines for this GPU: one is {share:.0%} done, {phase}' if phase else ''
        )
        if phase:
            self.get_logger().info(self._building, throttle_duration_sec=_BUILD_LOG_S)

    def _on_crash(self, error: BaseException) -> None:
        """The inference thread has given up; runs in that thread."""
        if not self.context.ok():
            return  # A signal has shut ROS down before the image under way was published.
        again = 'activate tries again, cleanup and configure open the networks anew'
        if isinstance(error, StsegError):
            stopped = 'masks have stopped'
            if isinstance(error, EngineError):
                stopped += ', a network failed twice on an image'
            self._problem = f'{stopped}: {error}; {again}'
            self.get_logger().error(self._problem)
        else:
            self._problem = (
                f'masks have stopped by an error of stseg_ros in two images in a row: {error!r}, '
                f'see the log; {again}'
            )
            details = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
            self.get_logger().error(f'{self._problem}\n{details}')
        self._fault.trigger()

    def _leave_active(self) -> None:
        """Deactivate after the inference thread has given up, so that the state tells it."""
        if self._state == 'active' and self._problem:
            self.trigger_deactivate()

    def _on_set_parameters(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        """Check all changes together, then take over all or none."""
        try:
            values = self._values.changed(parameters)
            if self._session is not None:
                self._session.apply(values)
        except StsegError as err:
            return SetParametersResult(successful=False, reason=str(err))
        self._values = values
        return SetParametersResult(successful=True)

    def _beat(self) -> None:
        """Publish the summary; runs in the diagnostics' thread."""
        if not self.context.ok():
            # On a signal rclpy wakes the executor before it shuts the context down; an executor
            # that looks in between sleeps on for ever, if nobody wakes it again.
            if self.executor is not None:
                self.executor.wake()
            return
        try:
            self._reporter.report(
                NodeView(
                    state=self._state,
                    problem=self._problem,
                    building=self._building,
                    values=self._values,
                    session=self._session,
                    camera=self._input,
                )
            )
        except RCLError:
            # Expected once the process has been told to stop.
            if self.context.ok():
                raise

    def _on_report_error(self, details: str) -> None:
        if self._report_throttle.admit(details, self._values.log_throttle_s) is not None:
            self.get_logger().error(f'no summary on /diagnostics, by an error:\n{details}')


def main(args: list[str] | None = None) -> None:
    """Run the node until it is told to stop.

    Args:
        args: command line; None takes the process's own.
    """
    run_process('segmenter_node', args, _run)


def _run() -> None:
    with closing_at_the_end(SegmenterNode()) as node:
        spin(node)


if __name__ == '__main__':
    main()
