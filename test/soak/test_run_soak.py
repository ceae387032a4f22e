"""Short soaks of the real node, in a domain of their own: what holds at any speed is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.cli import main

pytestmark = [pytest.mark.ros, pytest.mark.slow]

PATIENCE_S = 60.0
# What depends on how busy this machine is, and what takes longer to tell.
AT_ANY_SPEED = (
    'the node lives through all of it',
    'every image is a mask or counted',
    'each mask answers one good image, in its size',
    'no image meets an error',
    'no file descriptor leaks',
    'no thread leaks',
    'the node leaves no process and no shared memory behind',
)


def kept(report: dict[str, Any]) -> dict[str, bool | None]:
    return {promise['name']: promise['kept'] for promise in report['promises']}


@pytest.mark.parametrize(
    ('transport', 'seconds', 'faults'),
    [
        ('raw', 20, {'truncated', 'no data', 'no rows', 'unknown encoding', 'short step'}),
        ('compressed', 10, {'truncated', 'no data', 'no image', 'corrupt', 'bomb'}),
    ],
)
def test_a_short_soak(
    tmp_path: Path, tiny_bundle: Path, transport: str, seconds: int, faults: set[str]
) -> None:
    output = tmp_path / 'out'
    arguments = ['--seconds', str(seconds), '--rate', '30', '--transport', transport]
    places = ['--bundle', str(tiny_bundle), '--output', str(output)]
    status = main(['soak', *arguments, *places])
    report = json.loads((output / 'soak.json').read_text())
    found = kept(report)
    assert status == (1 if False in found.values() else 0)
    assert {name: found[name] for name in AT_ANY_SPEED} == dict.fromkeys(AT_ANY_SPEED, True)
    frames = report['frames']
    assert frames['masks_received'] == frames['masks_published'] > 50
    assert frames['bad'] > 0
    assert len(faults & set(report['faults_sent'])) >= 3
    assert report['steps'] >= 5
    assert report['publisher_restarts'] + report['camera_process_restarts'] >= 1
    assert len(report['series']['at_s']) >= seconds / 2
    assert report['end']['status'] == 0
    assert 'Traceback' not in (output / 'node.log').read_text()
    assert (output / 'soak.png').is_file()


@contextmanager
def soak_under_way(folder: Path, bundle: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a soak of ten minutes, and wait until it is under way."""
    process = subprocess.Popen(
        [
            *(sys.executable, '-u', '-m', 'stseg_ros.cli', 'soak', '--seconds', '600'),
            *('--rate', '20', '--bundle', str(bundle), '--output', str(folder)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith('soaking'):
                break
        wait_for_masks(folder)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_for_masks(folder: Path) -> None:
    """Wait until the schedule has met bad images: the node writes of them in its log."""
    deadline_s = time.monotonic() + PATIENCE_S
    while 'image skipped' not in (folder / 'node.log').read_text():
        assert time.monotonic() < deadline_s, (folder / 'node.log').read_text()
        time.sleep(0.1)


def test_ctrl_c_ends_it_early_with_the_report_so_far(tmp_path: Path, tiny_bundle: Path) -> None:
    with soak_under_way(tmp_path, tiny_bundle) as process:
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode in (0, 1)
    assert 'soak, ended early' in shown
    report = json.loads((tmp_path / 'soak.json').read_text())
    assert report['interrupted'] is True
    assert report['seconds'] < 300
    assert report['frames']['published'] > 0
    assert report['frames']['uncounted'] == 0
    assert report['end']['status'] == 0


def test_a_node_that_ends_by_itself_breaks_its_promise(tmp_path: Path, tiny_bundle: Path) -> None:
    with soak_under_way(tmp_path, tiny_bundle) as process:
        os.kill(node_of(process.pid), signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
    report = json.loads((tmp_path / 'soak.json').read_text())
    assert report['node_ended_early'] is True
    assert kept(report)['the node lives through all of it'] is False


def node_of(parent: int) -> int:
    """Find the node among the children of a soak."""
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            command = (folder / 'cmdline').read_bytes()
            status = (folder / 'status').read_text()
        except OSError:
            continue  # It has just ended.
        if b'segmenter_node' in command and f'\nPPid:\t{parent}\n' in status:
            return int(folder.name)
    raise AssertionError('the soak has no node')
