"""Offline segmentation, bag to bag: every frame, in order, whatever the speed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stseg_ros.errors import FrameError
from stseg_ros.records import Frame, FrameTiming, SegmentationResult
from stseg_ros.sources.bag_messages import (
    DIAGNOSTIC_ARRAY,
    IMAGE,
    make_diagnostic_array,
    make_image,
    typestore,
)
from stseg_ros.sources.bag_reader import BagMessage, BagReader
from stseg_ros.sources.bag_writer import BagWriter
from stseg_ros.sources.image_codec import decode
from stseg_ros.sources.timing_message import STATUS_NAME, timing_key_values
from stseg_ros.sources.topics import beside_image


class Segmenter(Protocol):
    """What replay needs of a segmenter; see `stseg_ros.pipeline.segmenter`."""

    @property
    def device(self) -> str:
        """What the networks run on."""
        ...

    def segment(self, frame: Frame) -> SegmentationResult:
        """Segment one frame.

        Raises:
            FrameError: the frame cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFrame:
    """An image message that gave no mask.

    Attributes:
        index: its place among the images, from 0.
        record_ns: its time of recording.
        reason: what is wrong with it.
    """

    index: int
    record_ns: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What a replay did.

    Attributes:
        timings: of each mask, in order.
        bad_frames: of each image that gave none, in order.
        recorded_ns: time from the first to the last image message.
        elapsed_ns: wall time of reading, segmenting and writing.
    """

    timings: tuple[FrameTiming, ...]
    bad_frames: tuple[BadFrame, ...]
    recorded_ns: int
    elapsed_ns: int

    @property
    def frames(self) -> int:
        """Number of image messages."""
        return len(self.timings) + len(self.bad_frames)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayTopics:
    """Where a replay reads and writes.

    Attributes:
        image: the topic read, raw or compressed.
    """

    image: str

    @property
    def mask(self) -> str:
        """The topic of the masks, beside the images."""
        return beside_image(self.image, 'mask')

    @property
    def frame_timing(self) -> str:
        """The topic of the timings, beside the images."""
        return beside_image(self.image, 'frame_timing')


def replay(
    reader: BagReader,
    segmenter: Segmenter,
    writer: BagWriter,
    topics: ReplayTopics,
    *,
    on_frame: Callable[[], object] = lambda: None,
) -> ReplayResult:
    """Segment every image of a topic; write masks and timings with the image's header and time.

    Args:
        reader: the bag to read.
        segmenter: what segments.
        writer: the open bag to write.
        topics: where to read and write.
        on_frame: called after each image.

    Returns:
        What was done; an image that cannot be used costs only itself.

    Raises:
        DataError, EngineError: a bag cannot be read or written on, or a network failed.
    """
    writer.add_topic(topics.mask, IMAGE)
    writer.add_topic(topics.frame_timing, DIAGNOSTIC_ARRAY)
    timings, bad_frames, times_ns = [], [], []
    started_ns = time.perf_counter_ns()
    for index, recorded in enumerate(reader.messages([topics.image])):
        times_ns.append(recorded.record_ns)
        try:
            timings.append(_replay_one(recorded, segmenter, writer, topics))
        except FrameError as error:
            bad_frames.append(BadFrame(index=index, record_ns=times_ns[-1], reason=str(error)))
        on_frame()
    return ReplayResult(
        timings=tuple(timings),
        bad_frames=tuple(bad_frames),
        recorded_ns=times_ns[-1] - times_ns[0] if times_ns else 0,
        elapsed_ns=time.perf_counter_ns() - started_ns,
    )


def _replay_one(
    recorded: BagMessage, segmenter: Segmenter, writer: BagWriter, topics: ReplayTopics
) -> FrameTiming:
    """Segment one message; nothing is written unless all of it works.

    Raises:
        FrameError: the message cannot be used.
    """
    start_ns = time.perf_counter_ns()
    message = recorded.deserialize()
    frame = decode(message)
    decode_ns = time.perf_counter_ns() - start_ns

    result = segmenter.segment(frame)

    start_ns = time.perf_counter_ns()
    mask_message = make_image(result.mask_hw, encoding='mono8', header=message.header)
    mask_cdr = typestore().serialize_cdr(mask_message, IMAGE)
    encode_ns = time.perf_counter_ns() - start_ns

    timing = dataclasses.replace(result.timing, decode_ns=decode_ns, encode_ns=encode_ns)
    timing_message = make_diagnostic_array(
        STATUS_NAME,
        timing_key_values(dataclasses.replace(result, timing=timing)),
        hardware_id=segmenter.device,
        header=message.header,
    )
    writer.write_serialized(topics.mask, mask_cdr, record_ns=recorded.record_ns)
    writer.write(topics.frame_timing, timing_message, record_ns=recorded.record_ns)
    return timing
