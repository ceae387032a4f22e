"""Tests of several cameras in one process, over DDS."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.executors import ExternalShutdownException
from support.ros_segmenter import (
    Client,
    SegmenterProcess,
    free_domain_id,
    mask_pixels,
    plain_image,
    rgb_image,
    stamp_ns_of,
    values,
)
from support.scripted_segmenter import FAIL, STUMBLE

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.records import Frame
from stseg_ros.ros_node import multi_segmenter_node
from stseg_ros.ros_node.shared_segments import own_segments

pytestmark = pytest.mark.ros

CAMERAS = ('front', 'left', 'right')
COARSE_S = 0.02
COUNTS = ('masks_published', 'frames_dropped', 'frames_bad', 'frames_failed')
Running = tuple[SegmenterProcess, dict[str, Client]]


@contextmanager
def running_cameras(
    folder: Path, domain_id: int, bundle: Path, *before: str, **environment: str
) -> Iterator[Running]:
    process = SegmenterProcess(
        folder / 'cameras.log',
        domain_id,
        module='support.scripted_cameras',
        environment={'SCRIPTED_COARSE_S': str(COARSE_S), **environment},
        before=['--cameras', ','.join(CAMERAS), *before],
        bundle=bundle,
        backend='scripted',
        log_throttle_s=0.0,
    )
    clients = {name: Client(domain_id, name) for name in CAMERAS}
    try:
        for client in clients.values():
            client.meet()
        yield process, clients
    finally:
        for client in clients.values():
            client.close()
        process.end()


@pytest.fixture(scope='module')
def cameras(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp('cameras')
    with running_cameras(folder, free_domain_id(60), tiny_bundle) as running:
        yield running


def picture(seed: int, size_hw: tuple[int, int]) -> np.ndarray:
    """Draw red things on noise."""
    random = np.random.default_rng(seed)
    height, width = size_hw
    image = random.integers(0, 60, (height, width, 3), np.uint8)
    for _ in range(5):
        top, left = random.integers(0, height * 3 // 4), random.integers(0, width * 3 // 4)
        image[top : top + height // 4, left : left + width // 5, 0] += 120
    return image


def counts(client: Client) -> dict[str, int]:
    """Wait until every image that came is accounted for, and return the counts."""

    def settled(_: object, pairs: dict[str, str]) -> bool:
        return int(pairs['frames_received']) == sum(int(pairs[key]) for key in COUNTS)

    pairs = client.wait_for_status(settled, 'counts that add up')
    return {key: int(pairs[key]) for key in ('frames_received', 'frames_lost', *COUNTS)}


def wait_for_state(client: Client, state: str, text: str = '') -> None:
    def told(status: DiagnosticStatus, pairs: dict[str, str]) -> bool:
        return pairs['state'] == state and text in status.message

    client.wait_for_status(told, f'{state}, {text!r}')


def meet_until_told(client: Client) -> None:
    """Get a mask, and the one summary that tells of it, which may be here before the mask is."""
    before = len(client.statuses)
    client.meet()
    client.wait_until(
        lambda: any('segmenting' in status.message for status in client.statuses[before:]),
        'a summary that says segmenting',
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (
            ['--cameras', 'front', '--at-once', '0'],
            "argument --at-once: got '0'; expected a number of",
        ),
        (
            ['--cameras', 'front', '--at-once', 'two'],
            "argument --at-once: got 'two'; expected a number of",
        ),
        (['--ros-args', '-p', 'regions:=1'], 'the following arguments are required: --cameras'),
        (['--cameras', 'front', '--regions', '4'], 'unrecognized arguments: --regions'),
    ],
    ids=str,
)
def test_wrong_arguments_are_told_before_ros_is_joined(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        multi_segmenter_node.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_wrong_parameter_ends_the_start_in_one_line() -> None:
    arguments = ['--cameras', 'front', 'left', '--ros-args', '-p', 'threshold:=1']
    ended = subprocess.run(
        [sys.executable, '-m', 'stseg_ros.ros_node.multi_segmenter_node', *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    lines = [line for line in ended.stderr.splitlines() if 'multi_segmenter_node: ' in line]
    assert len(lines) == 1
    assert lines[0].startswith('multi_segmenter_node: camera front: parameter threshold has')
    assert 'Traceback' not in ended.stderr


def test_every_camera_gets_its_own_masks_by_its_own_settings(
    cameras: Running, tiny_bundle: Path
) -> None:
    _, clients = cameras
    own: dict[str, dict[str, Any]] = {
        'front': {'regions': 16},
        'left': {'regions': 3, 'fusion': 'max', 'threshold': 0.6},
        'right': {'regions': 0},
    }
    sizes_hw = {'front': (128, 256), 'left': (96, 200), 'right': (61, 33)}
    bundle = ModelBundle.read(tiny_bundle)
    for seed, (name, settings) in enumerate(own.items()):
        client = clients[name]
        assert client.set_parameters(**settings).successful
        image = picture(seed, sizes_hw[name])
        # The scripted networks are ONNX Runtime's.
        alone = open_segmenter(bundle, PipelineConfig(backend='onnxruntime', **settings))
        expected = alone.segment(Frame(image_hwc=image)).mask_hw
        alone.close()
        assert expected.any()
        np.testing.assert_array_equal(mask_pixels(client.segment(rgb_image(image))), expected)
    for name, client in clients.items():
        assert len(client.masks) == int(counts(client)['masks_published'])
        assert {status.name for status in client.statuses} == {f'/{name}/segmenter: segmentation'}
        back = {'regions': -1, 'threshold': -1.0, 'fusion': ''}
        assert client.set_parameters(**back).successful


def test_every_camera_has_a_latency_budget_of_its_own(cameras: Running) -> None:
    _, clients = cameras
    assert clients['front'].set_parameters(latency_budget_ms=0.01).successful
    assert clients['left'].set_parameters(latency_budget_ms=60_000.0).successful
    given: dict[str, set[str]] = {name: set() for name in CAMERAS}
    for _ in range(3):
        for name, client in clients.items():
            stamp_ns = stamp_ns_of(client.segment(plain_image(0)))
            client.wait_until(lambda: stamp_ns in client.timings, 'the timing')  # noqa: B023
            given[name].add(values(client.timings[stamp_ns].status[0])['regions_given'])
    assert given == {'front': {'0'}, 'left': {'4'}, 'right': {'4'}}
    for client in clients.values():
        assert client.set_parameters(latency_budget_ms=0.0).successful


def test_cameras_of_unequal_rates_are_served_alike(cameras: Running) -> None:
    _, clients = cameras
    # Each of them alone asks for more than its share of the networks.
    rates_hz = {'front': 4 / COARSE_S, 'left': 1 / COARSE_S, 'right': 0.8 / COARSE_S}
    before = {name: counts(client) for name, client in clients.items()}
    sent = dict.fromkeys(CAMERAS, 0)
    message = plain_image(0)
    start_s = time.monotonic()
    while (now_s := time.monotonic() - start_s) < 4.0:
        for name, client in clients.items():
            if sent[name] < now_s * rates_hz[name]:
                client.publish(message)
                sent[name] += 1
            client.executor.spin_once(timeout_sec=0)
    after = {
        name: {key: count - before[name][key] for key, count in counts(client).items()}
        for name, client in clients.items()
    }
    masks = {name: count['masks_published'] for name, count in after.items()}
    assert min(masks.values()) > 0
    # By the node, or by its subscription before.
    assert all(count['frames_dropped'] + count['frames_lost'] > 0 for count in after.values())
    # By the order of arrival the fast camera would get several times as many.
    assert max(masks.values()) <= 1.5 * min(masks.values())


def test_a_fast_camera_takes_nothing_from_a_slow_one(cameras: Running) -> None:
    _, clients = cameras
    before = {name: counts(clients[name]) for name in CAMERAS}
    message = plain_image(0)
    for _ in range(10):
        stamp_ns = clients['left'].publish(message)
        deadline_s = time.monotonic() + 20
        while stamp_ns not in clients['left'].masks:
            assert time.monotonic() < deadline_s
            clients['front'].publish(message)
            clients['front'].executor.spin_once(timeout_sec=0.002)
            clients['left'].executor.spin_once(timeout_sec=0)
    after = {name: counts(clients[name]) for name in CAMERAS}
    assert after['left']['masks_published'] - before['left']['masks_published'] == 10
    assert after['left']['frames_dropped'] == before['left']['frames_dropped']
    unserved = {
        it: after['front'][it] - before['front'][it] for it in ('frames_dropped', 'frames_lost')
    }
    assert sum(unserved.values()) > 0


def test_one_camera_can_be_stopped_and_started(cameras: Running) -> None:
    _, clients = cameras
    assert clients['left'].change_state('deactivate')
    lost_ns = clients['left'].publish(plain_image(0))
    for name in ('front', 'right'):
        clients[name].segment(plain_image(0))
        assert clients[name].state() == 'active'
    assert clients['left'].change_state('cleanup')
    wait_for_state(clients['left'], 'unconfigured')
    clients['front'].segment(plain_image(0))
    assert clients['left'].change_state('configure')
    assert clients['left'].change_state('activate')
    clients['left'].meet()
    assert lost_ns not in clients['left'].masks


def test_bad_images_of_one_camera_cost_the_others_nothing(cameras: Running) -> None:
    process, clients = cameras
    before = {name: counts(client) for name, client in clients.items()}
    for number in range(5):
        bad = plain_image(0)
        bad.encoding = f'nonsense{number}'
        clients['right'].publish(bad)
        process.wait_for_log(f"[right.segmenter]: image skipped: encoding 'nonsense{number}'")
        for name in ('front', 'left'):
            clients[name].segment(plain_image(0))
    clients['right'].segment(plain_image(0))
    bad_images = {
        name: counts(client)['frames_bad'] - before[name]['frames_bad']
        for name, client in clients.items()
    }
    assert bad_images == {'front': 0, 'left': 0, 'right': 5}


def test_an_error_of_the_code_stops_only_its_camera(cameras: Running) -> None:
    process, clients = cameras
    clients['left'].publish(plain_image(STUMBLE))
    process.wait_for_log('[left.segmenter]: image lost by an error of stseg_ros')
    clients['left'].publish(plain_image(STUMBLE))
    wait_for_state(clients['left'], 'inactive', 'by an error of stseg_ros in two images in a row')
    for name in ('front', 'right'):
        clients[name].segment(plain_image(0))
        assert clients[name].state() == 'active'
    assert clients['left'].change_state('activate')
    clients['left'].meet()


def test_networks_that_fail_stop_all_who_use_them(cameras: Running) -> None:
    process, clients = cameras
    clients['front'].publish(plain_image(FAIL))
    wait_for_state(clients['front'], 'inactive', 'failed twice on an image: scripted: the device')
    for name in ('left', 'right'):
        wait_for_state(clients[name], 'inactive', 'an image of /front/segmenter, on shared netw')
        assert clients[name].statuses[-1].level == DiagnosticStatus.ERROR
    assert process.process.poll() is None
    # One opens them anew, the others try again as they are.
    assert clients['front'].change_state('cleanup')
    assert clients['front'].change_state('configure')
    for client in clients.values():
        assert client.change_state('activate')
        meet_until_told(client)


def test_while_one_camera_opens_other_networks_the_others_go_on(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    build_ends = tmp_path / 'built'
    build_ends.touch()
    parameters = tmp_path / 'left.yaml'
    parameters.write_text('/left/segmenter:\n  ros__parameters:\n    threads: 1\n')
    with running_cameras(
        tmp_path,
        free_domain_id(61),
        tiny_bundle,
        *('--ros-args', '--params-file', str(parameters), '--'),
        SCRIPTED_BUILD=str(build_ends),
    ) as (_, clients):
        assert clients['left'].change_state('deactivate')
        assert clients['left'].change_state('cleanup')
        build_ends.unlink()
        configured = clients['left'].ask_for_transition(Transition.TRANSITION_CONFIGURE)
        wait_for_state(clients['left'], 'configuring')
        for name in ('front', 'right'):
            clients[name].segment(plain_image(0))
            assert clients[name].state() == 'active'
        assert not configured.done()
        build_ends.touch()
        clients['left'].wait_until(configured.done, 'the answer')
        assert configured.result().success
        assert clients['left'].change_state('activate')
        clients['left'].meet()


def test_several_at_once_give_the_same_masks(tmp_path: Path, tiny_bundle: Path) -> None:
    book = tmp_path / 'batches'
    with running_cameras(
        tmp_path,
        free_domain_id(62),
        tiny_bundle,
        *('--at-once', '3'),
        SCRIPTED_BATCHES=str(book),
        SCRIPTED_REGION_S='0.01',
    ) as (_, clients):
        bundle = ModelBundle.read(tiny_bundle)
        alone = open_segmenter(bundle, PipelineConfig(backend='onnxruntime'))
        images = {name: picture(seed, (96, 200)) for seed, name in enumerate(CAMERAS)}
        expected = {
            name: alone.segment(Frame(image_hwc=image)).mask_hw for name, image in images.items()
        }
        alone.close()

        def joined() -> bool:
            stamps_ns = {
                name: client.publish(rgb_image(images[name])) for name, client in clients.items()
            }
            for name, client in clients.items():
                client.wait_until(lambda: stamps_ns[name] in client.masks, 'the mask')  # noqa: B023
                mask = mask_pixels(client.masks[stamps_ns[name]])
                np.testing.assert_array_equal(mask, expected[name])
            # Each frame alone has four regions.
            return any(int(line.split()[1]) > 4 for line in book.read_text().splitlines())

        book.write_text('')
        clients['front'].wait_until(joined, 'regions of two cameras in one batch')
        sizes = {tuple(line.split()) for line in book.read_text().splitlines()}
        assert sizes <= {('coarse', '1'), ('refine', '4'), ('refine', '8'), ('refine', '12')}


class FakeNode:
    """Keeps what it logs."""

    context = SimpleNamespace(ok=lambda: True)

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.problem = ''

    def tell_unserved(self, problem: str) -> None:
        self.problem = problem

    def get_logger(self) -> Any:
        return SimpleNamespace(
            error=lambda text: self.lines.append(('error', text)),
            fatal=lambda text: self.lines.append(('fatal', text)),
        )


@pytest.mark.parametrize(
    ('error', 'goes_on', 'level'),
    [
        (ZeroDivisionError('a bug'), True, 'error'),
        (multi_segmenter_node.RCLError('no memory'), False, 'fatal'),
        (KeyboardInterrupt(), False, ''),
        (ExternalShutdownException(), False, ''),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, BaseException) else '',
)
def test_an_error_in_a_callback_costs_the_other_cameras_nothing(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, goes_on: bool, level: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(multi_segmenter_node, 'spin', fail)
    node: Any = FakeNode()
    assert multi_segmenter_node._goes_on(node, None) is goes_on
    assert [line[0] for line in node.lines] == ([level] if level else [])
    assert all(str(error) in text for _, text in node.lines)
    assert bool(node.problem) is (level == 'fatal')


def test_cameras_that_can_all_be_served_no_more_end_the_process(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    break_it = tmp_path / 'break_it'
    with running_cameras(
        tmp_path, free_domain_id(64), tiny_bundle, SCRIPTED_BREAK=str(break_it)
    ) as (process, clients):
        break_it.with_name('break_it.front').touch()
        wait_for_state(clients['front'], 'active', 'served no more, by an error of ROS: start')
        assert clients['front'].statuses[-1].level == DiagnosticStatus.ERROR
        clients['left'].segment(plain_image(0))
        for name in ('left', 'right'):
            break_it.with_name(f'break_it.{name}').touch()
        assert process.process.wait(20) == 1
        assert process.log.read_text().count('served no more') == len(CAMERAS)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_namespaces_remapping_and_a_clean_end(
    tmp_path: Path, tiny_bundle: Path, number: signal.Signals
) -> None:
    rules = ['__ns:=/robot', 'image:=image_raw', '/robot/left/mask:=/left_mask']
    process = SegmenterProcess(
        tmp_path / 'log',
        free_domain_id(63),
        module='stseg_ros.ros_node.multi_segmenter_node',
        before=[
            '--cameras',
            *CAMERAS,
            '--ros-args',
            *(it for rule in rules for it in ('-r', rule)),
        ],
        bundle=tiny_bundle,
    )
    client = Client(process.domain_id, '/robot/left')
    try:
        for name in CAMERAS:
            process.wait_for_log(f'[robot.{name}.segmenter]: segmenting /robot/{name}/image_raw')
        # Its own topics have other names here.
        client.wait_until(lambda: client.node.count_publishers('/left_mask'), 'the mask')
        assert client.node.count_publishers('/robot/front/mask') == 1
        assert client.node.count_publishers('/robot/left/mask') == 0
        assert client.state() == 'active'
        created = own_segments(Path(f'/proc/{process.process.pid}'))
        assert created
        assert process.stop(number) == 0
        assert 'Traceback' not in process.log.read_text()
        assert [name for name in created if (Path('/dev/shm') / name).exists()] == []
        assert process.log.read_text().count('bundle tiny') == len(CAMERAS)
    finally:
        client.close()
        process.end()
