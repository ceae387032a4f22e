"""Tests of `stseg segment` on real files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.cli import main


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    return str(write_tiny_bundle(tmp_path / 'tiny', regions=16))


def write_picture(path: Path, size_hw: tuple[int, int] = (240, 320)) -> Path:
    height, width = size_hw
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 :, :, 2] = 220
    assert cv2.imwrite(str(path), image)
    return path


def test_masks_and_overlays_are_written(tmp_path: Path, bundle: str) -> None:
    write_picture(tmp_path / 'one.png')
    write_picture(tmp_path / 'two.jpg', (100, 333))
    output = tmp_path / 'out'
    images = [str(tmp_path / 'one.png'), str(tmp_path / 'two.jpg')]
    assert main(['segment', *images, '--output', str(output), '--bundle', bundle]) == 0
    mask = cv2.imread(str(output / 'one_mask.png'), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (240, 320)
    assert set(np.unique(mask)) == {0, 255}
    assert (mask[125:] == 255).all()
    assert (mask[:115] == 0).all()
    assert cv2.imread(str(output / 'two_overlay.jpg')).shape == (100, 333, 3)


def test_a_folder_stands_for_its_images(tmp_path: Path, bundle: str) -> None:
    (tmp_path / 'photos').mkdir()
    for index in range(3):
        write_picture(tmp_path / 'photos' / f'{index}.png')
    (tmp_path / 'photos' / 'notes.txt').write_text('not an image')
    output = tmp_path / 'out'
    assert (
        main(['segment', str(tmp_path / 'photos'), '--output', str(output), '--bundle', bundle])
        == 0
    )
    assert sorted(path.name for path in output.glob('*_mask.png')) == [
        '0_mask.png',
        '1_mask.png',
        '2_mask.png',
    ]


def test_a_grey_image_is_segmented(tmp_path: Path, bundle: str) -> None:
    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((50, 60), 99, np.uint8))
    output = tmp_path / 'out'
    arguments = [str(tmp_path / 'grey.png'), '--output', str(output), '--bundle', bundle]
    assert main(['segment', *arguments]) == 0
    mask = cv2.imread(str(output / 'grey_mask.png'), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (50, 60)
    assert not mask.any()


def test_a_bad_image_costs_only_itself(
    tmp_path: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'bad.png').write_bytes(b'no picture')
    write_picture(tmp_path / 'good.png')
    output = tmp_path / 'out'
    images = [str(tmp_path / 'bad.png'), str(tmp_path / 'good.png')]
    assert main(['segment', *images, '--output', str(output), '--bundle', bundle]) == 1
    assert (output / 'good_mask.png').is_file()
    shown = capsys.readouterr()
    assert 'bad.png: is not an image that OpenCV reads' in shown.err
    assert '1 of 2 images segmented' in shown.out


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (
            ['--regions', '99'],
            '--regions is 99; give 0 (coarse only) to 16, or leave it out for the 16 that tiny',
        ),
        (['--regions', '-1'], '--regions is -1; give 0 (coarse only) to 16'),
        (['--backend', 'magic'], "backend is 'magic'; expected one of auto"),
        (['--bundle', 'nothing'], "'nothing' is neither a bundle folder nor a shipped bundle"),
        (['--config', 'absent.yaml'], 'absent.yaml: cannot be read'),
    ],
)
def test_wrong_settings_are_one_line(
    tmp_path: Path, bundle: str, extra: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = write_picture(tmp_path / 'one.png')
    arguments = ['segment', str(picture), '--output', str(tmp_path / 'out'), '--bundle', bundle]
    assert main([*arguments, *extra]) == 2
    error = capsys.readouterr().err
    assert error.startswith('stseg segment: ')
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_outputs_that_would_collide_are_refused(
    tmp_path: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [str(write_picture(tmp_path / name)) for name in ('same.png', 'same.jpg')]
    output = str(tmp_path / 'out')
    assert main(['segment', *images, '--output', output, '--bundle', bundle]) == 2
    assert 'would both be written as same_mask.png' in capsys.readouterr().err


def test_settings_come_from_the_file_unless_given(
    tmp_path: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = write_picture(tmp_path / 'one.png')
    config = tmp_path / 'pipeline.yaml'
    config.write_text(f'bundle: {bundle}\nbackend: onnxruntime\nregions: 99\n')
    arguments = ['segment', str(picture), '--output', str(tmp_path / 'out')]
    assert main([*arguments, '--config', str(config), '--regions', '2']) == 0
    assert 'onnxruntime' in capsys.readouterr().out


def test_a_parameter_file_of_the_node_will_do(
    tmp_path: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = write_picture(tmp_path / 'one.png')
    arguments = ['segment', str(picture), '--output', str(tmp_path / 'out'), '--bundle', bundle]
    config = Path(__file__).parents[2] / 'config' / 'segment.yaml'
    assert main([*arguments, '--config', str(config), '--backend', 'onnxruntime']) == 0
    shown = capsys.readouterr().out
    assert f'{config}: not for the pipeline, passed over: transport, autostart' in shown


def test_results_are_not_segmented_again(
    tmp_path: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / 'photos'
    photos.mkdir()
    write_picture(photos / 'one.png')
    # Not a result of one.png, and the only picture of its name.
    write_picture(photos / 'other_mask.png')
    arguments = ['--output', str(photos), '--bundle', bundle, '--backend', 'onnxruntime']
    assert main(['segment', str(photos), *arguments]) == 0
    capsys.readouterr()
    names = sorted(path.name for path in photos.iterdir())
    assert main(['segment', str(photos), *arguments]) == 0
    shown = capsys.readouterr().out
    assert '4 files left out: results of images beside them' in shown
    assert '2 of 2 images segmented' in shown
    assert sorted(path.name for path in photos.iterdir()) == names
    # Written out, as a shell's * does, it is the same.
    assert main(['segment', *(str(photos / name) for name in names), *arguments]) == 0
    assert '2 of 2 images segmented' in capsys.readouterr().out


def test_damage_is_told_by_us_alone(
    tmp_path: Path, bundle: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(write_picture(tmp_path / 'pixels.png').read_bytes())
    data[60] ^= 0xFF
    (tmp_path / 'pixels.png').write_bytes(data)
    cut = write_picture(tmp_path / 'cut.jpg')
    cut.write_bytes(cut.read_bytes()[:-100])
    (tmp_path / 'empty.png').write_bytes(b'')
    images = [str(tmp_path / name) for name in ('pixels.png', 'cut.jpg', 'empty.png')]
    arguments = ['--output', str(tmp_path / 'out'), '--bundle', bundle]
    assert main(['segment', *images, *arguments, '--backend', 'onnxruntime']) == 1
    size = cut.stat().st_size
    reasons = (
        'png image is corrupt: the checksum of its IDAT data is wrong',
        f'jpeg image is truncated: {size} bytes without an end marker',
        'is not an image that OpenCV reads, or is damaged',
    )
    assert capfd.readouterr().err.splitlines() == [
        f'stseg segment: {image}: {reason}' for image, reason in zip(images, reasons, strict=True)
    ]


def test_preset_and_selector_reach_the_pipeline(tmp_path: Path) -> None:
    # Stage 1 sees nothing anywhere, so that what is found shows what was refined: with the paper's
    # settings the first 4 of 16 cells, with sliding windows as many.
    bundle = str(write_tiny_bundle(tmp_path / 'tiny', coarse_gain=0.0, regions=16))
    image = np.zeros((128, 256, 3), np.uint8)
    image[..., 2] = 220
    cv2.imwrite(str(tmp_path / 'red.png'), image)
    shares = {}
    for name, options in {
        'bundle': [],
        'paper': ['--preset', 'paper'],
        'sliding': ['--preset', 'paper', '--selector', 'sliding'],
        'boundary': ['--selector', 'boundary'],
    }.items():
        output = tmp_path / name
        what = ['segment', str(tmp_path / 'red.png'), '--output', str(output)]
        assert main([*what, '--bundle', bundle, *options]) == 0
        mask = cv2.imread(str(output / 'red_mask.png'), cv2.IMREAD_UNCHANGED)
        shares[name] = float((mask > 0).mean())
    assert shares == {'bundle': 1.0, 'paper': 0.25, 'sliding': 0.25, 'boundary': 0.0}
