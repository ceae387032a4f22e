"""Tests of the demonstration's figures, report and pictures."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.demo.demo_records import DemoFrame, DemoRun
from stseg_ros.demo.pictures import captioned, open_video
from stseg_ros.demo.report import ShownFrame, summary_rows, write_report
from stseg_ros.demo.summary import frame_dice, percentiles, summarize

TIMING = {
    'decode_ms': 0.5,
    'preprocess_ms': 1.0,
    'coarse_ms': 2.0,
    'select_ms': 0.5,
    'refine_ms': 6.0,
    'fuse_ms': 0.5,
    'encode_ms': 0.25,
    'regions': 8.0,
    'node_ms': 12.0,
}


def make_frame(index: int, *, latency_ms: float | None = 15.0, **changes: object) -> DemoFrame:
    values: dict[str, object] = {
        'stamp_ns': index,
        'published_ns': 1_000_000_000 * index,
        'received_ns': None,
        'mask_hw': None,
        'timing': {},
    }
    if latency_ms is not None:
        values['received_ns'] = 1_000_000_000 * index + round(latency_ms * 1e6)
        values['mask_hw'] = np.zeros((4, 6), np.uint8)
        values['timing'] = TIMING
    return DemoFrame(**{**values, **changes})


def make_run(frames: list[DemoFrame], **node: str) -> DemoRun:
    return DemoRun(
        title='a test',
        rate_hz=10.0,
        bag=Path('drive'),
        topic='/camera/image',
        frames=tuple(frames),
        node={'backend': 'openvino', 'device': 'CPU', 'bundle': 'tiny', **node},
    )


def test_counts() -> None:
    frames = [make_frame(0), make_frame(1, latency_ms=None), make_frame(2, latency_ms=None)]
    summary = summarize(make_run(frames, frames_dropped='1', frames_bad='0'))
    assert summary['frames_published'] == 3
    assert summary['masks_received'] == 1
    assert summary['frames_dropped_by_node'] == 1
    assert summary['frames_lost'] == 1


def test_overheads_come_from_the_stages() -> None:
    summary = summarize(make_run([make_frame(0)]))
    # 1.0 + 2.0 + 0.5 + 6.0 + 0.5 from image to mask, of which 2.0 + 6.0 in the networks.
    assert summary['pipeline_ms'] == pytest.approx(10.0)
    assert summary['networks_ms'] == pytest.approx(8.0)
    assert summary['pipeline_over_networks'] == pytest.approx(1.25)
    # 12.0 from message in to message out, of 15.0 from publisher to receiver.
    assert summary['node_adds_ms'] == pytest.approx(2.0)
    assert summary['transport_ms'] == pytest.approx(3.0)


def test_percentiles_of_one_to_a_hundred() -> None:
    shown = percentiles([float(value) for value in range(101)])
    assert shown == {'p50': 50.0, 'p95': 95.0, 'p99': 99.0, 'max': 100.0}
    assert percentiles([]) is None


def test_dice_against_the_truth(tmp_path: Path) -> None:
    truth = np.zeros((4, 6), np.uint8)
    truth[:, :3] = 255
    cv2.imwrite(str(tmp_path / 'truth.png'), truth)
    mask = np.zeros((4, 6), np.uint8)
    mask[:2, :] = 255
    frame = make_frame(0, mask_hw=mask, truth_path=tmp_path / 'truth.png')
    # 6 pixels in both, 12 in each.
    assert frame_dice(frame) == pytest.approx(12 / 24)
    assert summarize(make_run([frame]))['dice'] == {
        'pooled': 0.5,
        'mean_per_frame': 0.5,
        'frames': 1,
    }


def test_a_run_without_answers_is_summed_up() -> None:
    summary = summarize(make_run([make_frame(0, latency_ms=None)]))
    assert summary['latency_ms'] is None
    assert summary['dice'] is None
    assert ('frames lost', '1') in summary_rows(summary)
    run = make_run([make_frame(0, latency_ms=None)])
    assert 'No mask came back' in write_report(run, summary, [])


def test_the_rate_is_rounded() -> None:
    run = dataclasses.replace(make_run([make_frame(0)]), rate_hz=15.000000000503356)
    assert summarize(run)['rate_hz'] == 15.0


def test_summary_fits_json() -> None:
    summary = summarize(make_run([make_frame(0), make_frame(1)]))
    assert json.loads(json.dumps(summary)) == summary


def test_report_stands_alone() -> None:
    run = make_run([make_frame(index) for index in range(5)])
    picture = np.full((20, 30, 3), 128, np.uint8)
    shown = [ShownFrame(caption='a <frame>', picture_bgr=picture)]
    page = write_report(run, summarize(run), shown)
    assert 'Every one of 5 frames' in page
    assert 'a &lt;frame&gt;' in page
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 1
    assert all(source.startswith('data:') for source in sources)
    assert page.count('<svg') == 2


def test_video_keeps_every_picture(tmp_path: Path) -> None:
    path = tmp_path / 'overlay.mp4'
    with open_video(path, 10.0) as video:
        for level in (0, 120, 240):
            video.add(captioned(np.full((91, 121, 3), level, np.uint8), make_frame(0), 0))
    capture = cv2.VideoCapture(str(path))
    levels = []
    while True:
        read, picture = capture.read()
        if not read:
            break
        levels.append(float(picture[:80].mean()))
    assert len(levels) == 3
    assert levels == pytest.approx([0, 120, 240], abs=12)


def test_caption_shrinks_wide_pictures() -> None:
    picture = captioned(np.zeros((720, 1280, 3), np.uint8), make_frame(0, latency_ms=None), 3)
    assert picture.shape == (540 + 30, 960, 3)
