"""Tests of transitions and of the end of the process while images are being processed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from lifecycle_msgs.srv import ChangeState
from support.ros_segmenter import (
    Client,
    SegmenterProcess,
    free_domain_id,
    plain_image,
    running_script,
    running_segmenter,
)
from support.scripted_segmenter import WAIT

pytestmark = pytest.mark.ros

COARSE_S = 0.01
# As the life cycle of ROS 2 has it: what each state makes of a transition; all else is refused.
LIFE_CYCLE = {
    ('unconfigured', 'configure'): 'inactive',
    ('inactive', 'activate'): 'active',
    ('inactive', 'cleanup'): 'unconfigured',
    ('active', 'deactivate'): 'inactive',
}
TRANSITIONS = ('configure', 'activate', 'deactivate', 'cleanup')
LOCK = re.compile(r'/dev/shm/((?:fastdds|fastrtps)_[0-9a-f]{16})_el')


class Fire(Client):
    """A client that publishes an image whenever it waits for something."""

    def wait_until(self, *arguments: object) -> None:
        condition, what = arguments

        def publish_and_ask() -> object:
            self.publish(plain_image(0))
            return condition()

        super().wait_until(publish_and_ask, what)


@pytest.fixture
def node(tmp_path: Path, tiny_bundle: Path) -> Iterator[tuple[SegmenterProcess, Client]]:
    with running_script(
        tmp_path,
        free_domain_id(22),
        environment={'SCRIPTED_COARSE_S': str(COARSE_S)},
        bundle=tiny_bundle,
    ) as (process, client):
        client.meet()
        yield process, client


def walk() -> list[str]:
    """List transitions that try each one in each state, the wrong ones first."""
    ways = ('deactivate', 'cleanup', 'configure', 'activate', 'deactivate', 'activate')
    state, steps = 'active', []
    for way in ways:
        steps += [name for name in TRANSITIONS if (state, name) not in LIFE_CYCLE]
        steps.append(way)
        state = LIFE_CYCLE[state, way]
    return steps


def test_every_transition_in_every_state_under_fire(
    node: tuple[SegmenterProcess, Client],
) -> None:
    process, client = node
    client.__class__ = Fire
    state = 'active'
    for transition in walk():
        following = LIFE_CYCLE.get((state, transition))
        assert client.change_state(transition) is (following is not None), (state, transition)
        state = following or state
        assert client.state() == state
    assert state == 'active'
    client.meet()
    assert 'Traceback' not in process.log.read_text()


@pytest.mark.parametrize('before', [[], ['deactivate'], ['deactivate', 'cleanup']], ids=str)
def test_shutdown_from_every_state_under_fire(
    node: tuple[SegmenterProcess, Client], before: list[str]
) -> None:
    process, client = node
    client.__class__ = Fire
    for transition in before:
        assert client.change_state(transition)
    assert client.change_state('shutdown')
    assert client.state() == 'finalized'
    for transition in TRANSITIONS:
        assert not client.change_state(transition)
    assert process.stop(signal.SIGINT) == 0
    assert 'Traceback' not in process.log.read_text()


def test_deactivation_waits_for_the_image_under_way(
    node: tuple[SegmenterProcess, Client],
) -> None:
    process, client = node
    gate = process.log.with_name('gate')
    held_ns = client.publish(plain_image(WAIT))
    client.wait_until(gate.with_suffix('.reached').exists, 'the image at the gate')
    service = client.node.create_client(ChangeState, 'segmenter/change_state')
    client.wait_until(service.service_is_ready, 'the service')
    request = ChangeState.Request()
    request.transition.label = 'deactivate'
    future = service.call_async(request)
    client.wait_for_status(lambda _, pairs: pairs['state'] == 'deactivating', 'its begin')
    assert not future.done()
    assert held_ns not in client.masks
    gate.touch()
    client.wait_until(future.done, 'the answer')
    assert future.result().success
    client.wait_until(lambda: held_ns in client.masks, 'the mask of the image under way')


def segments_of(process: SegmenterProcess) -> set[str]:
    """Name the shared memory that a process has created, by the locks that it holds."""
    files = [str(entry.readlink()) for entry in Path(f'/proc/{process.process.pid}/fd').iterdir()]
    return {match[1] for match in map(LOCK.fullmatch, files) if match}


def left_of(segments: set[str]) -> list[str]:
    return [path.name for name in segments for path in Path('/dev/shm').glob(f'{name}*')]


def running_with(marker: str) -> set[int]:
    """Find the processes whose environment holds a text: children inherit it from their parent."""
    found = set()
    for folder in Path('/proc').glob('[0-9]*'):
        with suppress(OSError):  # It has ended meanwhile, or is another user's.
            if marker.encode() in (folder / 'environ').read_bytes():
                found.add(int(folder.name))
    return found


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_a_signal_during_inference_leaves_nothing_behind(
    tmp_path: Path, tiny_bundle: Path, number: signal.Signals
) -> None:
    gate = str(tmp_path / 'gate')
    environment = {'SCRIPTED_GATE': gate, 'SCRIPTED_COARSE_S': str(COARSE_S)}
    process = SegmenterProcess(
        tmp_path / 'log',
        free_domain_id(23),
        module='support.scripted_segmenter',
        environment=environment,
        backend='scripted',
        bundle=tiny_bundle,
    )
    client = Client(process.domain_id)
    try:
        client.meet()
        created = segments_of(process)
        assert created
        assert process.process.pid in running_with(gate)
        client.publish(plain_image(WAIT))
        client.wait_until((tmp_path / 'gate.reached').exists, 'the image at the gate')
        process.process.send_signal(number)
        (tmp_path / 'gate').touch()
        assert process.process.wait(20) == 0
        assert 'Traceback' not in process.log.read_text()
    finally:
        client.close()
        process.end()
    assert left_of(created) == []
    # Neither the node, which waits for its threads, nor anything that it has started.
    assert running_with(gate) == set()


def test_after_a_kill_a_new_node_works_at_once_and_tidies_up(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    domain_id = free_domain_id(24)
    with running_segmenter(tmp_path, domain_id, bundle=tiny_bundle) as (first, client):
        client.meet()
        created = segments_of(first)
        first.process.kill()
        first.process.wait(20)
        left = left_of(created)
        assert left, (
            'a killed process used to leave its shared memory; is tidying up still needed?'
        )
        for name in left:
            # As if it had started long ago: a node passes over files of processes that just start.
            os.utime(Path('/dev/shm') / name, (1e9, 1e9))

        second = SegmenterProcess(tmp_path / 'second.log', domain_id, bundle=tiny_bundle)
        try:
            client.meet()
            client.segment(plain_image(0))
            assert left_of(created) == []
        finally:
            second.end()
