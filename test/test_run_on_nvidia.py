"""The command for NVIDIA machines runs on any: same pictures, same tables, other backends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from support.tiny_bundle import WORKING_HW, write_redness_network, write_tiny_bundle

from stseg_ros.bundle import find_bundle
from stseg_ros.errors import BundleError

sys.path.append(str(Path(__file__).parent.parent / 'docs'))

import nvidia_measure
import run_on_nvidia
from whole_network import enlarge_network


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_on_nvidia, 'SIZES_HW', ((90, 160),))
    monkeypatch.setattr(nvidia_measure, 'SCENES', 2)
    monkeypatch.setattr(nvidia_measure, 'WARM_UP_FRAMES', 1)


def test_every_mode_of_a_backend_is_a_line(tmp_path: Path, quick: None) -> None:
    bundle, images, output = tmp_path / 'tiny', tmp_path / 'images', tmp_path / 'out.json'
    write_tiny_bundle(bundle)
    images.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    cv2.imwrite(str(images / 'real.png'), picture)
    places = ['--bundle', str(bundle), '--images', str(images), '--output', str(output)]
    status = run_on_nvidia.main([*places, '--backends', 'onnxruntime', '--frames', '3'])
    content = json.loads(output.read_text())
    assert (content['bundle'], content['frames'], content['failures']) == ('tiny', 3, [])
    assert status == (0 if all(run['agrees'] for run in content['runs']) else 1)
    assert {'python', 'processor', 'packages'} <= set(content['machine'])
    lines = [run for run in content['runs'] if run['precision'] == 'float32']
    expected = [
        ('two_stage', 0),
        ('two_stage', 4),
        ('two_stage', 16),
        ('one_graph', 4),
        ('whole', 0),
    ]
    assert [(run['mode'], run['regions']) for run in lines] == expected
    for run in lines:
        assert (run['backend'], run['size']) == ('onnxruntime', '160x90')
        assert run['ms']['total']['p50'] > 0.0
        if run['mode'] != 'one_graph':
            # The reference itself.
            assert run['agrees']
            assert (run['least_dice'], run['most_pixels_changed'], run['most_byte_steps']) == (
                1,
                0,
                0,
            )
            assert run['frames_with_other_regions'] == 0
    assert {'coarse', 'refine', 'fuse', 'total'} <= set(lines[1]['ms'])


def test_what_does_not_open_is_told(
    tmp_path: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, output = tmp_path / 'tiny', tmp_path / 'out.json'
    write_tiny_bundle(bundle)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, 'openvino', None)
        status = run_on_nvidia.main(
            ['--bundle', str(bundle), '--backends', 'openvino', '--output', str(output)]
        )
    assert status == 2
    content = json.loads(output.read_text())
    assert content['runs'] == []
    assert {failure['mode'] for failure in content['failures']} == {
        'two_stage',
        'one_graph',
        'whole',
    }
    assert 'openvino is not installed' in capsys.readouterr().err


def test_an_enlarged_network_is_the_same_on_every_pixel(tmp_path: Path) -> None:
    write_redness_network(tmp_path / 'small.onnx', (32, 64), batch=None, gain=3.0)
    enlarge_network(tmp_path / 'small.onnx', tmp_path / 'large.onnx', WORKING_HW)
    image = np.random.default_rng(0).integers(0, 256, (1, *WORKING_HW, 3), np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / 'large.onnx')
    (logits,) = session.run(None, {'image': image})
    expected = 3.0 * (image[..., 0].astype(float) - image[..., 1]) / 255.0
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_the_shipped_network_is_enlarged_with_its_resizes(tmp_path: Path) -> None:
    refine = find_bundle('driving_small') / 'refine.onnx'
    enlarge_network(refine, tmp_path / 'large.onnx', (256, 384))
    session = onnxruntime.InferenceSession(tmp_path / 'large.onnx')
    image = np.zeros((1, 256, 384, 3), np.uint8)
    (large,) = session.run(None, {'image': image})
    assert large.shape == (1, 256, 384)
    assert np.isfinite(large).all()


def test_a_size_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    write_redness_network(tmp_path / 'small.onnx', (32, 64), batch=None, gain=3.0)
    with pytest.raises(BundleError, match=r'is no whole multiple of its size \(32, 64\)'):
        enlarge_network(tmp_path / 'small.onnx', tmp_path / 'large.onnx', (100, 128))
