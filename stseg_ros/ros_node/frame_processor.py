"""One camera message from arrival to published mask, in the inference thread."""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stseg_ros.errors import BundleError, EngineError, FrameError
from stseg_ros.ros_node.budgeted_segmenter import BudgetedSegmenter
from stseg_ros.ros_node.onlooker_outputs import FrameView
from stseg_ros.ros_node.throttle import Throttle
from stseg_ros.sources.image_codec import decode
from stseg_ros.sources.timing_message import timing_key_values

if TYPE_CHECKING:
    from rclpy.impl.rcutils_logger import RcutilsLogger
    from std_msgs.msg import Header

    from stseg_ros.pipeline.segmenter import Segmenter
    from stseg_ros.records import Frame, SegmentationResult
    from stseg_ros.ros_node.frame_statistics import FrameStatistics
    from stseg_ros.ros_node.outputs import OnlookerTopic, Outputs
    from stseg_ros.ros_node.parameters import NodeParameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReceivedImage:
    """A camera message, not yet decoded.

    Attributes:
        message: a sensor_msgs/Image or sensor_msgs/CompressedImage.
        received_ns: `time.perf_counter_ns` at the entry of the callback.
        taking_ns: from the middleware's having the message to then: what it waited for the
            executor, and its unpacking. None where the middleware does not tell.
    """

    message: Any
    received_ns: int
    taking_ns: int | None = None


class FrameProcessor:
    """Decodes, segments and publishes; a frame that cannot be used costs only itself.

    A network that fails is given the same frame once more. Where it fails again, where no graph
    can be made for a frame, and where an error that nobody foresaw meets two frames in a row,
    `process` raises: the node must stop then.

    Attributes:
        parameters: the node's parameters; any thread may assign it at any time.
    """

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        outputs: Outputs,
        statistics: FrameStatistics,
        dropped: Callable[[], int],
        parameters: NodeParameters,
        logger: RcutilsLogger,
        is_shut_down: Callable[[], bool],
    ) -> None:
        """Put the parts together.

        Args:
            segmenter: the open segmenter.
            outputs: the publishers.
            statistics: what is counted.
            dropped: how many images were dropped so far.
            parameters: see `parameters`.
            logger: where unusable images are reported.
            is_shut_down: whether ROS has been shut down, so that publishing must fail.
        """
        self._opened = segmenter
        self._segmenter = BudgetedSegmenter(segmenter)
        self._outputs = outputs
        self._statistics = statistics
        self._dropped = dropped
        self._logger = logger
        self._is_shut_down = is_shut_down
        self._throttle = Throttle()
        self._stumbled = False
        self.parameters = parameters

    def prepare(self) -> None:
        """Prepare what the first frames would otherwise have to wait for.

        Raises:
            EngineError: a network failed.
        """
        self._stumbled = False
        self._segmenter.prepare(self.parameters.latency_budget_ms)
        self._announce_labels()

    def process(self, received: ReceivedImage) -> None:
        """Process one message.

        Args:
            received: the message.

        Raises:
            EngineError: a network failed twice on this frame.
            BundleError: the networks cannot be joined into a graph for this frame.
            Exception: an error of the node's code, in the second frame in a row.
        """
        try:
            self._process(received)
        except FrameError as err:
            self._note_bad(str(err))
            self._stumbled = False
        except (EngineError, BundleError) as err:
            self._statistics.note_failed(str(err))
            raise
        except Exception as err:
            if self._is_shut_down():
                raise
            self._statistics.note_failed(f'{type(err).__name__}: {err}')
            if self._stumbled:
                raise
            self._stumbled = True
            self._report_error(traceback.format_exc())
        else:
            self._stumbled = False

    def _process(self, received: ReceivedImage) -> None:
        started_ns = time.perf_counter_ns()
        frame = decode(received.message)
        decode_ns = time.perf_counter_ns() - started_ns
        # Asked for once: what is made of the frame afterwards may need its logits.
        wanted = self._outputs.find_wanted()
        self._opened.wants_logits = bool(wanted)
        try:
            result = self._segment(frame, received)
        except EngineError as err:
            self._statistics.note_retried()
            self._warn(f'a network failed, the image is tried once more: {err}')
            result = self._segment(frame, received)
        timing = dataclasses.replace(result.timing, decode_ns=decode_ns)
        result = dataclasses.replace(result, timing=timing)
        self._publish(received, started_ns, frame, result, wanted)

    def _segment(self, frame: Frame, received: ReceivedImage) -> SegmentationResult:
        # The budget, or the number of regions, may have been changed since the last frame.
        self._segmenter.prepare(self.parameters.latency_budget_ms)
        return self._segmenter.segment(frame, received.received_ns)

    def _note_bad(self, reason: str) -> None:
        self._statistics.note_bad(reason)
        self._warn(f'image skipped: {reason}')

    def _report_error(self, details: str) -> None:
        self._logger.error(f'image lost by an error of stseg_ros, please report it:\n{details}')

    def _warn(self, text: str) -> None:
        left_out = self._throttle.admit(text, self.parameters.log_throttle_s)
        if left_out is not None:
            self._logger.warning(text + _more(left_out))

    def _publish(
        self,
        received: ReceivedImage,
        started_ns: int,
        frame: Frame,
        result: SegmentationResult,
        wanted: list[OnlookerTopic],
    ) -> None:
        """Publish and count the mask; nothing that fails after that makes the image a lost one."""
        header = received.message.header
        before_encode_ns = time.perf_counter_ns()
        mask = self._outputs.encode_mask(header, result.mask_hw)
        encode_ns = time.perf_counter_ns() - before_encode_ns
        self._outputs.publish_mask(mask)
        published_ns = time.perf_counter_ns()

        latency_ns = published_ns - received.received_ns
        segmenter = self._segmenter
        count = self._statistics.note_published(
            processing_ns=published_ns - started_ns,
            regions=len(result.selection),
            latency_ns=latency_ns,
            late=0 < segmenter.budget_ms < latency_ns / 1e6,
            cut=segmenter.given < segmenter.asked,
        )
        timing = dataclasses.replace(result.timing, encode_ns=encode_ns)
        extra = [
            ('received_ms', f'{received.received_ns / 1e6:.3f}'),
            *_taking(received),
            ('queue_ms', f'{(started_ns - received.received_ns) / 1e6:.3f}'),
            ('node_ms', f'{latency_ns / 1e6:.3f}'),
            ('budget_ms', f'{segmenter.budget_ms:.3f}'),
            ('regions_asked', str(segmenter.asked)),
            ('regions_given', str(segmenter.given)),
            ('dropped', str(self._dropped())),
            ('frame', str(count)),
        ]
        try:
            segmenter.learn(result, latency_ns)
            pairs = timing_key_values(dataclasses.replace(result, timing=timing), extra)
            self._outputs.publish_timing(header, pairs, segmenter.device)
            # The threshold may have been changed since the last frame.
            self._announce_labels()
            self._outputs.publish_wanted(wanted, self._view(header, frame, result))
        except Exception as err:
            if self._is_shut_down():
                raise
            self._report_unpublished(err)

    def _announce_labels(self) -> None:
        self._outputs.announce_labels(self._opened.settings.threshold)

    def _view(self, header: Header, frame: Frame, result: SegmentationResult) -> FrameView:
        parameters = self.parameters
        return FrameView(
            header=header,
            frame=frame,
            result=result,
            overlay_alpha=parameters.overlay_alpha,
            vehicle_min_pixels=parameters.vehicle_min_pixels,
        )

    def _report_unpublished(self, err: Exception) -> None:
        text = f'a topic beside the mask not published: {type(err).__name__}: {err}'
        left_out = self._throttle.admit(text, self.parameters.log_throttle_s)
        if left_out is not None:
            self._logger.error(f'{text}{_more(left_out)}\n{traceback.format_exc()}')


def _taking(received: ReceivedImage) -> list[tuple[str, str]]:
    taking_ns = received.taking_ns
    return [] if taking_ns is None else [('taking_ms', f'{taking_ns / 1e6:.3f}')]


def _more(left_out: int) -> str:
    return f' ({left_out} more like this since the last report)' if left_out else ''
