"""`stseg replay` as its users call it, with a bundle whose networks are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.cli import main
from stseg_ros.sources.bag_messages import IMAGE, make_header, make_image
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.bag_writer import BagWriter

FRAMES = 4


def write_drive(path: Path, *, broken: tuple[int, ...] = ()) -> None:
    """Write grey frames with a red block that moves to the right."""
    with BagWriter(path) as writer:
        writer.add_topic('/camera/image', IMAGE)
        for index in range(FRAMES):
            pixels = np.full((128, 256, 3), 90, np.uint8)
            pixels[32:96, 32 * index : 32 * index + 64] = (255, 0, 0)
            stamp_ns = 10**18 + index * 100_000_000
            message = make_image(
                pixels, encoding='rgb8', header=make_header(stamp_ns=stamp_ns, frame_id='cam')
            )
            if index in broken:
                message.data = message.data[:100]
            writer.write('/camera/image', message, record_ns=stamp_ns)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle that finds red things."""
    return write_tiny_bundle(tmp_path_factory.mktemp('bundle') / 'tiny')


def run_replay(bundle: Path, *arguments: object) -> int:
    """Call `stseg replay` on the portable backend."""
    words = [str(argument) for argument in arguments]
    return main(['replay', *words, '--bundle', str(bundle), '--backend', 'onnxruntime'])


def test_masks_json_and_table(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_drive(tmp_path / 'drive', broken=(2,))
    json_file = tmp_path / 'replay.json'
    status = run_replay(
        bundle, tmp_path / 'drive', '--output', tmp_path / 'masks', '--json', json_file
    )
    assert status == 0
    with BagReader(tmp_path / 'masks') as reader:
        assert reader.storage == 'mcap'
        masks = [item.deserialize() for item in reader.messages(['/camera/mask'])]
        assert len(list(reader.messages(['/camera/frame_timing']))) == FRAMES - 1
    for index, mask in zip((0, 1, 3), masks, strict=True):
        stamp_ns = mask.header.stamp.sec * 10**9 + mask.header.stamp.nanosec
        assert (stamp_ns, mask.header.frame_id) == (10**18 + index * 100_000_000, 'cam')
        image = np.asarray(mask.data).reshape(128, 256)
        inside = image[40:88, 32 * index + 8 : 32 * index + 56]
        assert inside.min() == 255
        assert not image[:24].any()

    summary = json.loads(json_file.read_text())
    assert (summary['frames'], summary['masks']) == (FRAMES, FRAMES - 1)
    (bad,) = summary['bad_frames']
    assert bad['index'] == 2
    assert 'truncated' in bad['reason']
    assert (summary['bundle'], summary['backend']) == ('tiny', 'onnxruntime')
    assert summary['settings']['regions'] == 4
    assert summary['recorded_s'] == 0.3
    assert summary['stages']['total']['median_ms'] > 0
    assert summary['versions']['numpy'] == np.__version__
    out = capsys.readouterr().out
    assert '3 masks of 4 frames' in out
    assert '  frame 2: ' in out
    assert 'masks on /camera/mask' in out


def test_two_replays_write_the_same_masks(tmp_path: Path, bundle: Path) -> None:
    write_drive(tmp_path / 'drive')
    masks = []
    for name, storage in (('one', 'mcap'), ('two', 'sqlite3')):
        options = ['--output', tmp_path / name, '--storage', storage, '--topic', '/camera/image']
        assert run_replay(bundle, tmp_path / 'drive', *options, '--regions', 2) == 0
        with BagReader(tmp_path / name) as reader:
            assert reader.storage == storage
            masks.append([bytes(item.cdr) for item in reader.messages(['/camera/mask'])])
    assert len(masks[0]) == FRAMES
    assert masks[0] == masks[1]


def test_no_usable_frame_is_an_error_without_output(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_drive(tmp_path / 'drive', broken=tuple(range(FRAMES)))
    assert run_replay(bundle, tmp_path / 'drive', '--output', tmp_path / 'masks') == 2
    assert 'none of the 4 messages on /camera/image could be used' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['drive']


def test_wrong_use(tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_drive(tmp_path / 'drive')
    drive, masks = tmp_path / 'drive', tmp_path / 'masks'
    wrong = {
        'no image topic /x': [drive, '--output', masks, '--topic', '/x'],
        'no such bag': [tmp_path / 'nowhere', '--output', masks],
        'exists already': [drive, '--output', drive],
        'its folder does not exist': [drive, '--output', masks, '--json', tmp_path / 'no' / 'x'],
        'regions is 99': [drive, '--output', masks, '--regions', 99],
    }
    for message, arguments in wrong.items():
        assert run_replay(bundle, *arguments) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert '\n' not in error
    assert [path.name for path in tmp_path.iterdir()] == ['drive']
