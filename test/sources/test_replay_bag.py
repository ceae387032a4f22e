"""Bag to bag with a segmenter that can be checked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stseg_ros.errors import EngineError, FrameError
from stseg_ros.records import (
    ChannelOrder,
    Frame,
    FrameTiming,
    RegionSelection,
    SegmentationResult,
)
from stseg_ros.sources.bag_messages import (
    COMPRESSED_IMAGE,
    IMAGE,
    make_compressed_image,
    make_header,
    make_image,
)
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.bag_writer import BagWriter
from stseg_ros.sources.replay_bag import BadFrame, ReplayResult, ReplayTopics, replay
from stseg_ros.sources.replay_summary import format_table, library_versions, summarise

IMAGES = np.random.default_rng(9).integers(0, 256, (5, 6, 10, 3), dtype=np.uint8)
START_NS = 1_317_042_145_964_389_445


class RedSegmenter:
    """Calls a pixel vehicle where red is above 100; its coarse network takes 1, 2, 3 ... ms."""

    def __init__(self) -> None:
        self.calls = 0
        self.device = 'a red filter'

    def segment(self, frame: Frame) -> SegmentationResult:
        if frame.frame_id == 'refuse':
            raise FrameError('this frame is refused')
        if frame.frame_id == 'explode':
            raise EngineError('the engine is gone')
        self.calls += 1
        red = frame.image_hwc[..., 0 if frame.channel_order is ChannelOrder.RGB else 2]
        return SegmentationResult(
            mask_hw=np.where(red > 100, 255, 0).astype(np.uint8),
            logit_bytes_hw=np.zeros((2, 2), np.uint8),
            selection=RegionSelection(
                boxes_xyxy=np.zeros((2, 4), np.int32), score=np.zeros(2, np.float32)
            ),
            timing=FrameTiming(coarse_ns=self.calls * 1_000_000, refine_ns=500_000),
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
        )


def write_input(path: Path, *, frame_ids: tuple[str, ...] = ('cam',) * 5) -> None:
    """Write rgb8 images, recorded 7 ns after their stamps; the frame id decides what happens."""
    with BagWriter(path) as writer:
        writer.add_topic('/cam/image', IMAGE)
        for index, (pixels, frame_id) in enumerate(zip(IMAGES, frame_ids, strict=True)):
            stamp_ns = START_NS + index * 100_000_000
            encoding = 'unheard of' if frame_id == 'encoding' else 'rgb8'
            message = make_image(
                pixels, encoding=encoding, header=make_header(stamp_ns=stamp_ns, frame_id=frame_id)
            )
            writer.write('/cam/image', message, record_ns=stamp_ns + 7)


def run_replay(source: Path, target: Path) -> ReplayResult:
    """Replay into a new bag."""
    with BagReader(source) as reader, BagWriter(target) as writer:
        return replay(reader, RedSegmenter(), writer, ReplayTopics(image='/cam/image'))


def test_masks_and_timings_with_the_headers_of_the_images(tmp_path: Path) -> None:
    write_input(tmp_path / 'in')
    result = run_replay(tmp_path / 'in', tmp_path / 'out')
    with BagReader(tmp_path / 'out') as reader:
        assert [topic.name for topic in reader.topics] == ['/cam/frame_timing', '/cam/mask']
        masks = list(reader.messages(['/cam/mask']))
        timings = list(reader.messages(['/cam/frame_timing']))
    assert len(masks) == len(timings) == 5
    for index, recorded in enumerate(masks):
        mask = recorded.deserialize()
        stamp_ns = START_NS + index * 100_000_000
        assert recorded.record_ns == stamp_ns + 7
        assert mask.header.stamp.sec * 10**9 + mask.header.stamp.nanosec == stamp_ns
        assert mask.header.frame_id == 'cam'
        assert (mask.encoding, mask.height, mask.width, mask.step) == ('mono8', 6, 10, 10)
        expected = [255 if red > 100 else 0 for red in IMAGES[index, ..., 0].reshape(-1).tolist()]
        assert mask.data.tolist() == expected
    for index, recorded in enumerate(timings):
        message = recorded.deserialize()
        stamp_ns = START_NS + index * 100_000_000
        assert recorded.record_ns == stamp_ns + 7
        assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == stamp_ns
        assert message.header.frame_id == 'cam'
        (status,) = message.status
        assert (status.name, status.level) == ('segmenter: frame timing', 0)
        assert status.hardware_id == 'a red filter'
        values = {pair.key: pair.value for pair in status.values}
        assert values['coarse_ms'] == f'{index + 1}.000'
        assert values['regions'] == '2'
        assert float(values['decode_ms']) > 0
        assert float(values['encode_ms']) > 0
        stages = ['decode', 'preprocess', 'coarse', 'select', 'refine', 'fuse', 'encode']
        total = sum(float(values[f'{stage}_ms']) for stage in stages)
        assert float(values['total_ms']) == pytest.approx(total, abs=0.005)
    assert result.frames == 5
    assert result.bad_frames == ()
    assert result.recorded_ns == 400_000_000
    assert result.elapsed_ns > 0


def test_two_replays_give_the_same_masks_byte_for_byte(tmp_path: Path) -> None:
    write_input(tmp_path / 'in')
    masks = []
    for name in ('one', 'two'):
        run_replay(tmp_path / 'in', tmp_path / name)
        with BagReader(tmp_path / name) as reader:
            masks.append([(item.record_ns, item.cdr) for item in reader.messages(['/cam/mask'])])
    assert len(masks[0]) == 5
    assert masks[0] == masks[1]


def test_compressed_images_are_read_beside_the_same_names(tmp_path: Path) -> None:
    png = (
        b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde'
        b'\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82'
    )
    topic = '/cam/image/compressed'
    with BagWriter(tmp_path / 'in') as writer:
        writer.add_topic(topic, COMPRESSED_IMAGE)
        header = make_header(stamp_ns=5, frame_id='cam')
        message = make_compressed_image(png, image_format='png', header=header)
        writer.write(topic, message, record_ns=5)
    with BagReader(tmp_path / 'in') as reader, BagWriter(tmp_path / 'out') as writer:
        result = replay(reader, RedSegmenter(), writer, ReplayTopics(image=topic))
    assert result.bad_frames == ()
    with BagReader(tmp_path / 'out') as reader:
        (mask,) = (item.deserialize() for item in reader.messages(['/cam/mask']))
    # The one pixel of the picture is pure red.
    assert mask.data.tolist() == [255]


def test_a_bad_frame_costs_only_itself(tmp_path: Path) -> None:
    write_input(tmp_path / 'in', frame_ids=('cam', 'encoding', 'cam', 'refuse', 'cam'))
    result = run_replay(tmp_path / 'in', tmp_path / 'out')
    assert [(bad.index, bad.record_ns) for bad in result.bad_frames] == [
        (1, START_NS + 100_000_007),
        (3, START_NS + 300_000_007),
    ]
    assert 'unheard of' in result.bad_frames[0].reason
    assert result.bad_frames[1].reason == 'this frame is refused'
    assert (result.frames, len(result.timings)) == (5, 3)
    with BagReader(tmp_path / 'out') as reader:
        assert [(topic.name, topic.count) for topic in reader.topics] == [
            ('/cam/frame_timing', 3),
            ('/cam/mask', 3),
        ]


def test_a_failing_engine_ends_the_replay_and_leaves_nothing(tmp_path: Path) -> None:
    write_input(tmp_path / 'in', frame_ids=('cam', 'cam', 'explode', 'cam', 'cam'))
    with pytest.raises(EngineError, match='the engine is gone'):
        run_replay(tmp_path / 'in', tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['in']


def test_progress_counts_bad_frames_too(tmp_path: Path) -> None:
    write_input(tmp_path / 'in', frame_ids=('cam', 'refuse', 'cam', 'cam', 'cam'))
    calls: list[int] = []
    with BagReader(tmp_path / 'in') as reader, BagWriter(tmp_path / 'out') as writer:
        replay(
            reader,
            RedSegmenter(),
            writer,
            ReplayTopics(image='/cam/image'),
            on_frame=lambda: calls.append(1),
        )
    assert len(calls) == 5


def result_of(*coarse_ms: float, bad: int = 0) -> ReplayResult:
    """Make a result by hand: one second recorded, half a second elapsed."""
    return ReplayResult(
        timings=tuple(
            FrameTiming(decode_ns=2_000_000, coarse_ns=round(ms * 1e6)) for ms in coarse_ms
        ),
        bad_frames=tuple(
            BadFrame(index=index, record_ns=index, reason=f'reason {index}')
            for index in range(bad)
        ),
        recorded_ns=1_000_000_000,
        elapsed_ns=500_000_000,
    )


def test_summary_by_hand() -> None:
    summary = summarise(result_of(1.0, 2.0, 3.0, bad=2))
    assert (summary['frames'], summary['masks']) == (5, 3)
    assert summary['bad_frames'][1] == {'index': 1, 'record_ns': 1, 'reason': 'reason 1'}
    assert (summary['recorded_s'], summary['elapsed_s']) == (1.0, 0.5)
    assert (summary['frames_per_s'], summary['speed']) == (10.0, 2.0)
    # Linear interpolation: 95 % of the way from the first to the last of three is 2.9.
    assert summary['stages']['coarse'] == {'median_ms': 2.0, 'p95_ms': 2.9}
    assert summary['stages']['total'] == {'median_ms': 4.0, 'p95_ms': 4.9}
    assert summary['stages']['pipeline'] == {'median_ms': 2.0, 'p95_ms': 2.9}
    assert summary['stages']['encode'] == {'median_ms': 0.0, 'p95_ms': 0.0}


def test_table_names_the_first_bad_frames() -> None:
    lines = format_table(summarise(result_of(1.0, bad=5))).splitlines()
    assert lines[0] == '1 masks of 6 frames in 0.5 s: 12.0 frames/s, 2.0 x real time'
    assert 'coarse            1.00      1.00' in lines
    assert lines[-5:] == [
        '5 frames could not be used:',
        '  frame 0: reason 0',
        '  frame 1: reason 1',
        '  frame 2: reason 2',
        '  and 2 more',
    ]


def test_versions_name_what_is_installed() -> None:
    versions = library_versions()
    assert versions['numpy'] == np.__version__
    assert {'python', 'rosbags'} <= versions.keys()
