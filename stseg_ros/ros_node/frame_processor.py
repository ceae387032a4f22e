"""One camera message from arrival to published mask, in the inference thread."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stseg_ros.errors import EngineError, FrameError
from stseg_ros.ros_node.throttle import Throttle
from stseg_ros.sources.image_codec import decode
from stseg_ros.sources.timing_message import timing_key_values

if TYPE_CHECKING:
    from rclpy.impl.rcutils_logger import RcutilsLogger

    from stseg_ros.pipeline.two_stage import TwoStageSegmenter
    from stseg_ros.records import Frame, SegmentationResult
    from stseg_ros.ros_node.frame_statistics import FrameStatistics
    from stseg_ros.ros_node.outputs import Outputs
    from stseg_ros.ros_node.parameters import NodeParameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReceivedImage:
    """A camera message, not yet decoded.

    Attributes:
        message: a sensor_msgs/Image or sensor_msgs/CompressedImage.
        received_ns: `time.perf_counter_ns` at the entry of the callback.
    """

    message: Any
    received_ns: int


class FrameProcessor:
    """Decodes, segments and publishes; a frame that cannot be used costs only itself.

    Attributes:
        parameters: the node's parameters; any thread may assign it at any time.
    """

    def __init__(
        self,
        *,
        segmenter: TwoStageSegmenter,
        outputs: Outputs,
        statistics: FrameStatistics,
        dropped: Callable[[], int],
        parameters: NodeParameters,
        logger: RcutilsLogger,
    ) -> None:
        """Put the parts together.

        Args:
            segmenter: the open segmenter.
            outputs: the publishers.
            statistics: what is counted.
            dropped: how many images were dropped so far.
            parameters: see `parameters`.
            logger: where unusable images are reported.
        """
        self._segmenter = segmenter
        self._outputs = outputs
        self._statistics = statistics
        self._dropped = dropped
        self._logger = logger
        self._throttle = Throttle()
        self.parameters = parameters

    def process(self, received: ReceivedImage) -> None:
        """Process one message.

        Args:
            received: the message.
        """
        started_ns = time.perf_counter_ns()
        try:
            frame = decode(received.message)
            decode_ns = time.perf_counter_ns() - started_ns
            result = self._segmenter.segment(frame)
        except FrameError as err:
            self._note_bad(str(err))
        except EngineError as err:
            self._note_failed(str(err))
        else:
            timing = dataclasses.replace(result.timing, decode_ns=decode_ns)
            result = dataclasses.replace(result, timing=timing)
            self._publish(received, started_ns, frame, result)

    def _note_bad(self, reason: str) -> None:
        self._statistics.note_bad(reason)
        left_out = self._throttle.admit(reason, self.parameters.log_throttle_s)
        if left_out is not None:
            self._logger.warning(f'image skipped: {reason}{_more(left_out)}')

    def _note_failed(self, reason: str) -> None:
        self._statistics.note_failed(reason)
        left_out = self._throttle.admit(reason, self.parameters.log_throttle_s)
        if left_out is not None:
            self._logger.error(f'image lost: {reason}{_more(left_out)}')

    def _publish(
        self, received: ReceivedImage, started_ns: int, frame: Frame, result: SegmentationResult
    ) -> None:
        """Publish the mask first, then its timing, then what only onlookers want."""
        header = received.message.header
        before_encode_ns = time.perf_counter_ns()
        mask = self._outputs.encode_mask(header, result.mask_hw)
        encode_ns = time.perf_counter_ns() - before_encode_ns
        self._outputs.publish_mask(mask)
        published_ns = time.perf_counter_ns()

        count = self._statistics.note_published(
            processing_ns=published_ns - started_ns, regions=len(result.selection)
        )
        timing = dataclasses.replace(result.timing, encode_ns=encode_ns)
        pairs = timing_key_values(
            dataclasses.replace(result, timing=timing),
            extra=[
                ('queue_ms', f'{(started_ns - received.received_ns) / 1e6:.3f}'),
                ('node_ms', f'{(published_ns - received.received_ns) / 1e6:.3f}'),
                ('dropped', str(self._dropped())),
                ('frame', str(count)),
            ],
        )
        self._outputs.publish_timing(header, pairs, self._segmenter.device)
        self._outputs.publish_wanted(header, frame, result, self.parameters.overlay_alpha)


def _more(left_out: int) -> str:
    return f' ({left_out} more like this since the last report)' if left_out else ''
