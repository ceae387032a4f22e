"""Tests of `stseg doctor`, each check in its own process as for a user."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.cli import main


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / 'tiny')


def test_what_is_whole_ends_with_status_0(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'doctor.json'
    arguments = ['--only', 'cache', 'bundle', '--bundle', str(bundle), '--json', str(file)]
    assert main(['doctor', *arguments]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith('ok    bundle                tiny: 2 networks')
    assert shown[1].startswith('ok    cache ')
    assert shown[2:] == ['2 ok, 0 to look at, 0 failed, 0 skipped']
    content = json.loads(file.read_text())
    assert content['schema'] == 1
    assert [(one['name'], one['status']) for one in content['checks']] == [
        ('bundle', 'ok'),
        ('cache', 'ok'),
    ]


def test_a_broken_bundle_ends_with_status_1_and_stops_nothing_else(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / 'coarse.onnx').unlink()
    arguments = ['--only', 'bundle', 'cache', 'backend_onnxruntime', '--bundle', str(bundle)]
    assert main(['doctor', *arguments]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith('fail  bundle ')
    assert shown[1].strip().startswith('-> copy or export the whole bundle again')
    assert shown[2].startswith('ok    cache ')
    assert shown[3].startswith('skip  backend_onnxruntime   of no use until bundle is mended')
    assert shown[4:] == ['1 ok, 0 to look at, 1 failed, 1 skipped']


def test_a_machine_without_ros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'rclpy.py').write_text('raise ModuleNotFoundError("no ROS here")')
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')]))
    monkeypatch.setenv('PYTHONPATH', path)
    assert main(['doctor', '--only', 'transport', 'sim_time']) == 0
    shown = capsys.readouterr().out
    assert shown.count('skip ') == 2
    assert shown.count('no ROS 2 in this Python (no ROS here)') == 2


def test_a_missing_module_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'yaml.py').write_text('raise ModuleNotFoundError("No module named \'yaml\'")')
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')]))
    monkeypatch.setenv('PYTHONPATH', path)
    assert main(['doctor', '--only', 'bundle']) == 1
    shown = capsys.readouterr().out
    assert "ModuleNotFoundError: No module named 'yaml'" in shown
    assert '1 failed' in shown


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['doctor', '--list', '--only', 'kernel']) == 0
    assert capsys.readouterr().out.split(maxsplit=1)[0] == 'kernel'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--only', 'kernal'], "there is no check 'kernal'; did you mean kernel?"),
        (
            ['--only', 'kernel', '--json', '/nowhere/doctor.json'],
            '/nowhere/doctor.json: cannot be written, its folder does not exist',
        ),
    ],
)
def test_wrong_use(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['doctor', *arguments]) == 2
    assert capsys.readouterr().err == f'stseg doctor: {message}\n'
