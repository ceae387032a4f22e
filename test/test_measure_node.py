"""The measurement of the node runs from beginning to end: real processes, few images."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import sys
from pathlib import Path

import pytest
from support.tiny_bundle import write_tiny_bundle

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

sys.path.append(str(Path(__file__).parent.parent / 'docs' / 'scripts' / 'node'))

import measure_node
import node_processes
import node_rig
import record_cost_traces

from stseg_ros.measure.node.cost_traces import read_trace

pytestmark = pytest.mark.ros


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back afterwards what the commands set for the processes that they start."""
    for name in ('ROS_DOMAIN_ID', 'PYTHONPATH', 'TRACE_FILE', 'TRACE_FRAMES'):
        monkeypatch.setenv(name, os.environ.get(name, ''))


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bundle(tmp_path_factory.mktemp('bundles') / 'tiny'))


@pytest.mark.slow
def test_everything_is_measured_and_written(
    tmp_path: Path, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = dataclasses.replace(
        measure_node.QUICK,
        scenes=2,
        rounds=1,
        round_frames=4,
        settle_frames=2,
        passes=2,
        half_passes=2,
        flood_s=0.3,
    )
    monkeypatch.setattr(measure_node, 'QUICK', plan)
    monkeypatch.setattr(node_rig, '_IDLE_S', 1.0)
    output = tmp_path / 'node.json'
    status = measure_node.main(
        ['--output', str(output), '--bundle', bundle, '--backend', 'onnxruntime', '--quick']
    )
    # Nothing is said of times here, so promises may be broken.
    assert status in (0, 1)
    found = json.loads(output.read_text())
    assert (found['schema'], found['bundle'], found['quick']) == (1, 'tiny', True)
    assert found['images'] == {'synthetic scenes': 2}
    assert found['overhead']['frames']['echo'] > 0
    assert set(found['overhead']['page_faults_per_image']) == {'echo', 'node'}
    for load in ('idle', 'loaded'):
        curve = found['budget'][load]
        coarse, *_, unlimited = curve['rows']
        assert ('half_of_idle' in curve) == (load == 'loaded')
        for row in (curve['half'], curve.get('half_of_idle', coarse), *curve['rows']):
            # The live masks are the offline ones of as many regions, bit for bit.
            assert row['masks_equal_to_offline'] == row['masks'] > 0
            scores = row['dice']['synthetic scenes']
            assert scores['live'] == scores['offline_same_regions']
        assert coarse['regions_mean'] == 0
        assert unlimited['regions_mean'] == found['budget']['most_regions']
        most = curve['most']
        assert most['full']['regions_mean'] == most['regions'] > found['budget']['most_regions']
        assert most['half']['masks'] > 0
    assert [row['times'] for row in found['overload']['rows']] == [0.5, 2.0, 4.0]
    for row in found['overload']['rows']:
        assert row['masks'] > 0
        assert row['without_mask_or_count'] == 0
        assert row['cpu_ms_per_mask'] > 0
    page = (tmp_path / 'node.md').read_text()
    assert page.startswith('# What the node costs')
    assert 'node.png' in page
    assert (tmp_path / 'node.png').stat().st_size > 1000


def test_what_cannot_be_measured_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / 'node.json')
    assert measure_node.main(['--output', output, '--bundle', 'no_such_bundle']) == 2
    shown = capsys.readouterr().err
    assert shown.startswith('measure_node: ')
    assert len(shown.splitlines()) == 1


def test_a_trace_of_every_number_of_regions_is_recorded(
    tmp_path: Path, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_cost_traces, 'SCENES', 2)
    monkeypatch.setattr(node_rig, '_IDLE_S', 1.0)
    path = tmp_path / 'trace.json'
    arguments = ['--output', str(path), '--bundle', bundle, '--frames', '3', '--rate', '10']
    assert record_cost_traces.main([*arguments, '--load', '1']) == 0
    trace = read_trace(path)
    assert trace.about['competing_processes'] == 1
    # More may have been measured before the camera was stopped, never fewer.
    assert len(trace) == 3
    assert trace.refine_ms.shape == (3, 8)
    for times_ms in (trace.before_ms, trace.after_ms, trace.refine_ms, trace.guess_ms):
        assert (times_ms > 0).all()


def test_page_faults_are_those_of_the_process() -> None:
    before = node_processes.page_faults(os.getpid())
    pages = bytearray(64 << 20)
    pages[:: os.sysconf('SC_PAGE_SIZE')] = bytes(len(pages) // os.sysconf('SC_PAGE_SIZE'))
    after = node_processes.page_faults(os.getpid())
    assert 0 < before < after
    usage = resource.getrusage(resource.RUSAGE_SELF)
    assert after <= usage.ru_minflt


def test_processor_time_is_that_of_the_process() -> None:
    before_s = node_processes.cpu_s(os.getpid())
    times = os.times()
    assert before_s <= times.user + times.system + 0.02
    assert before_s > 0
