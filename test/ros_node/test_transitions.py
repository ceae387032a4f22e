"""Tests of transitions that fail, on the node in this process with a session that does as told."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from support.ros_segmenter import free_domain_id

from stseg_ros.errors import BundleError, EngineError
from stseg_ros.ros_node import segmenter_node
from stseg_ros.ros_node.segmenter_node import SegmenterNode

pytestmark = pytest.mark.ros

SUCCESS = TransitionCallbackReturn.SUCCESS


class FakeSession:
    """Raises what it is told to, where it is told to."""

    errors: dict[str, Exception]
    bundle = SimpleNamespace(name='a bundle')
    segmenter = SimpleNamespace(backend='fake', backend_note='fake', device='some CPU')

    def __init__(self, *_: Any) -> None:
        self._do('open')

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self._do(name)

    def count_subscribers(self) -> tuple[int, int]:
        return 0, 0

    def _do(self, step: str) -> None:
        if step in self.errors:
            raise self.errors.pop(step)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[SegmenterNode]:
    monkeypatch.setattr(segmenter_node, 'Session', FakeSession)
    monkeypatch.setattr(FakeSession, 'errors', {}, raising=False)
    arguments = ['--ros-args', '-p', 'autostart:=false']
    rclpy.init(args=arguments, domain_id=free_domain_id(42))
    node = SegmenterNode()
    yield node
    node.close()
    node.destroy_node()
    rclpy.try_shutdown()


def state_of(node: SegmenterNode) -> tuple[str, str]:
    """Return the state that the node tells and the one that it is in."""
    return node._state, node._state_machine.current_state[1]


def test_an_unforeseen_error_is_told_after_the_recovery(node: SegmenterNode) -> None:
    FakeSession.errors['open'] = ZeroDivisionError('a bug')
    assert node.trigger_configure() == TransitionCallbackReturn.ERROR
    assert state_of(node) == ('unconfigured', 'unconfigured')
    assert node._problem == 'configuring failed by an error of stseg_ros: see the log'
    # It is over with the next transition that succeeds.
    assert node.trigger_configure() == SUCCESS
    assert node._problem == ''


@pytest.mark.parametrize('transition', ['cleanup', 'shutdown'])
def test_networks_that_do_not_close_do_not_hold_up_the_node(
    node: SegmenterNode, transition: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert node.trigger_configure() == SUCCESS
    FakeSession.errors['close'] = EngineError('the device is lost')
    assert getattr(node, f'trigger_{transition}')() == SUCCESS
    after = {'cleanup': 'unconfigured', 'shutdown': 'finalized'}[transition]
    assert state_of(node) == (after, after)
    assert 'closing the networks failed: the device is lost' in capfd.readouterr().err
    assert node._session is None


@pytest.mark.parametrize(
    ('step', 'state', 'advice'),
    [
        ('open', 'unconfigured', 'segmenter configure, and then activate; or start'),
        ('prepare', 'inactive', 'segmenter activate; or start'),
    ],
)
def test_the_advice_after_a_failed_start_goes_on_from_its_state(
    node: SegmenterNode, step: str, state: str, advice: str, capfd: pytest.CaptureFixture[str]
) -> None:
    FakeSession.errors[step] = EngineError('out of memory')
    node._autostart()
    assert state_of(node) == (state, state)
    assert f'ros2 lifecycle set /{advice}' in capfd.readouterr().err


@pytest.mark.parametrize(
    ('error', 'told'),
    [
        (EngineError('x'), 'masks have stopped, a network failed twice on an image: x; activate'),
        (BundleError('y'), 'masks have stopped: y; activate'),
        (ZeroDivisionError('z'), 'masks have stopped by an error of stseg_ros in two images in a'),
    ],
    ids=lambda it: type(it).__name__,
)
def test_why_masks_have_stopped(node: SegmenterNode, error: Exception, told: str) -> None:
    node._on_crash(error)
    assert node._problem.startswith(told)
