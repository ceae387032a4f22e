"""The command for NVIDIA machines runs on any: same pictures, same tables, other backends."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.bundle import ModelBundle, write_manifest
from stseg_ros.engines.tensorrt.library import is_installed
from stseg_ros.records import Frame, FrameTiming, RegionSelection, SegmentationResult

sys.path.append(str(Path(__file__).parent.parent / 'docs'))

import nvidia_cases
import nvidia_measure
import run_on_nvidia

MODES = [('two_stage', 0), ('two_stage', 4), ('two_stage', 16), ('one_graph', 4), ('whole', 0)]
without_tensorrt = pytest.mark.skipif(is_installed('tensorrt'), reason='TensorRT is installed')


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make everything small, and name the bundle and the file to write."""
    monkeypatch.setattr(run_on_nvidia, 'SIZES_HW', ((90, 160),))
    monkeypatch.setattr(nvidia_measure, 'SCENES', 2)
    monkeypatch.setattr(nvidia_measure, 'WARM_UP_FRAMES', 1)
    monkeypatch.delenv('STSEG_DATA', raising=False)
    bundle = write_tiny_bundle(tmp_path / 'tiny')
    # By half every grey pixel of a scene would be a tie.
    manifest = ModelBundle.read(bundle).manifest
    decisive = dataclasses.replace(manifest.recommended, threshold=0.75)
    write_manifest(bundle, dataclasses.replace(manifest, recommended=decisive))
    return ['--bundle', str(bundle), '--output', str(tmp_path / 'out.json'), '--frames', '3']


@pytest.fixture
def nvidia(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a backend of the processor stand for NVIDIA's."""
    monkeypatch.setattr(run_on_nvidia, 'LIBRARIES', ('onnxruntime', 'tensorrt'))
    return 'onnxruntime'


def run(place: list[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = run_on_nvidia.main([*place, *arguments])
    return status, json.loads(Path(place[3]).read_text())


def test_every_mode_of_a_backend_is_a_line(
    tmp_path: Path, place: list[str], nvidia: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / 'photos'
    images.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    cv2.imwrite(str(images / 'real.png'), picture)
    status, content = run(place, '--images', str(images), '--backends', nvidia)
    assert (content['bundle'], content['frames'], content['failures']) == ('tiny', 3, [])
    assert content['pictures'] == ['2 synthetic scenes', '1 of 1 images of photos']
    assert {'python', 'processor', 'packages'} <= set(content['machine'])
    assert set(content['machine']['libraries']) == {'tensorrt', 'tensorrt_rtx'}
    assert status == 0
    assert '10 lines in' in capsys.readouterr().out
    for precision in ('default', 'float32'):
        lines = [line for line in content['runs'] if line['precision'] == precision]
        assert [(line['mode'], line['regions']) for line in lines] == MODES
        for line in lines:
            assert (line['backend'], line['size']) == ('onnxruntime', '160x90')
            assert line['ms']['total']['p50'] > 0.0
            # The enlarged network's masks mean nothing.
            assert line['agrees'] is (None if line['mode'] == 'whole' else True)
            if line['mode'] != 'one_graph':
                # The reference itself.
                names = ('most_pixels_changed', 'most_byte_steps', 'frames_with_other_regions')
                assert [line[name] for name in names] == [0, 0, 0]
                assert line['least_dice'] == 1
        assert {'coarse', 'refine', 'fuse', 'total'} <= set(lines[1]['ms'])


def test_masks_that_differ_are_told(
    place: list[str], nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(nvidia_cases.LEAST_DICE, 'float32', 2.0)
    monkeypatch.setitem(nvidia_cases.FEW_PIXELS, 'float32', -1.0)
    status, content = run(place, '--backends', nvidia)
    assert status == 1
    differing = {
        (line['precision'], line['mode']) for line in content['runs'] if line['agrees'] is False
    }
    assert differing == {('float32', 'two_stage')}


def result(vehicle: slice, logit_byte: int = 100, cell: int = 0) -> SegmentationResult:
    """Make a result of 100 x 100 pixels, with vehicles in the first row."""
    mask_hw = np.zeros((100, 100), np.uint8)
    mask_hw[0, vehicle] = 255
    return SegmentationResult(
        mask_hw=mask_hw,
        logit_bytes_hw=np.full((10, 10), logit_byte, np.uint8),
        selection=RegionSelection(
            boxes_xyxy=np.array([[cell, 0, cell + 1, 1]], np.int32), score=np.zeros(1, np.float32)
        ),
        timing=FrameTiming(),
        stamp_ns=0,
        frame_id='',
    )


@pytest.mark.parametrize(
    ('ours', 'theirs', 'agrees', 'dice', 'changed'),
    [
        (slice(0, 100), slice(0, 100), True, 1.0, 0.0),
        # No vehicle in either.
        (slice(0), slice(0), True, 1.0, 0.0),
        # Four pixels of a hundred.
        (slice(0, 96), slice(0, 100), True, 192 / 196, 0.0004),
        (slice(0, 90), slice(0, 100), False, 180 / 190, 0.001),
        # Two of three: a low Dice, and next to nothing of the frame.
        (slice(0, 1), slice(0, 3), True, 0.5, 0.0002),
        (slice(0), slice(0, 20), False, 0.0, 0.002),
    ],
)
def test_masks_are_held_against_the_references(
    ours: slice, theirs: slice, agrees: bool, dice: float, changed: float
) -> None:
    results = iter([result(slice(0, 50)), result(ours, 90, cell=1)])
    segmenter = SimpleNamespace(segment=lambda _: next(results))
    frame = Frame(image_hwc=np.zeros((100, 100, 3), np.uint8))
    facts = nvidia_measure.compare(
        segmenter,
        [frame, frame],
        [result(slice(0, 50)), result(theirs)],
        least_dice=0.97,
        few_pixels=0.0005,
    )
    assert facts['agrees'] is agrees
    assert facts['least_dice'] == pytest.approx(dice, abs=1e-6)
    assert facts['most_pixels_changed'] == pytest.approx(changed, abs=1e-6)
    assert (facts['most_byte_steps'], facts['frames_with_other_regions']) == (10, 1)


@without_tensorrt
def test_a_named_library_that_fails_is_a_failure_whatever_else_ran(
    place: list[str], nvidia: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, content = run(place, '--backends', 'tensorrt', nvidia)
    assert status == 1
    assert {line['backend'] for line in content['runs']} == {nvidia}
    assert [(each['mode'], each['regions']) for each in content['failures']] == MODES * 2
    assert {each['backend'] for each in content['failures']} == {'tensorrt'}
    told = capsys.readouterr()
    assert 'tensorrt failed: tensorrt is not installed' in told.err
    assert 'failed: tensorrt' in told.out


@without_tensorrt
def test_without_an_nvidia_backend_nothing_is_shown(
    place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, content = run(place, '--backends', 'tensorrt', 'onnxruntime')
    assert status == 2
    assert content['runs']
    assert 'no NVIDIA backend ran' in capsys.readouterr().out


@without_tensorrt
def test_what_is_neither_installed_nor_named_may_be_missing(
    place: list[str], nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_on_nvidia, 'DEFAULT_BACKENDS', ('tensorrt', nvidia))
    status, content = run(place)
    assert (status, bool(content['failures'])) == (0, True)


def test_a_case_that_goes_wrong_is_told_with_its_traceback(
    place: list[str], nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def one_graph(*_: Any, **__: Any) -> None:
        # Those before are in the file by now.
        written.append(len(json.loads(Path(place[3]).read_text())['runs']))
        raise RuntimeError('something that\nnobody thought of')

    monkeypatch.setattr(nvidia_cases, 'OneGraphSegmenter', one_graph)
    status, content = run(place, '--backends', nvidia)
    assert status == 1
    assert written == [3, 7]
    assert [line['mode'] for line in content['runs']] == ['two_stage'] * 3 + ['whole'] + [
        'two_stage'
    ] * 3 + ['whole']
    first, second = content['failures']
    assert first['reason'] == 'RuntimeError: something that nobody thought of'
    assert first['traceback'].startswith('Traceback')
    assert (second['precision'], second['mode'], second['size']) == (
        'float32',
        'one_graph',
        '160x90',
    )


def test_what_cannot_be_written_is_said_before_anything_runs(
    place: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place[3] = str(tmp_path / 'missing' / 'out.json')
    assert run_on_nvidia.main(place) == 2
    assert 'No such file or directory' in capsys.readouterr().err


def test_real_images_come_from_the_data_sets_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('kitti', 'camvid/val', 'something_else'):
        (tmp_path / name).mkdir(parents=True)
    expected = [tmp_path / 'kitti', tmp_path / 'camvid' / 'val']
    assert nvidia_measure.real_folders(str(tmp_path)) == expected
    monkeypatch.setenv('STSEG_DATA', str(tmp_path))
    assert run_on_nvidia.parse([]).images == expected
    monkeypatch.delenv('STSEG_DATA')
    assert run_on_nvidia.parse([]).images == []
