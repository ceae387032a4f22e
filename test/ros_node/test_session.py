"""Tests that a session which cannot begin or end as it should leaves nothing open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.errors import ConfigError, EngineError
from stseg_ros.ros_node import session
from stseg_ros.ros_node.frame_statistics import FrameStatistics
from stseg_ros.ros_node.mailbox import Mailbox
from stseg_ros.ros_node.many_cameras.turns import Turns
from stseg_ros.ros_node.networks import NetworkUser, OpenedNetworks, OtherUserError
from stseg_ros.ros_node.parameters import NodeParameters
from stseg_ros.ros_node.session import Session


class FakeSegmenter:
    """Remembers the thread that closed it."""

    device = 'some CPU'

    def __init__(self) -> None:
        self.closed_in: list[str] = []
        self.error: Exception | None = None

    def close(self) -> None:
        self.closed_in.append(threading.current_thread().name)
        if self.error is not None:
            raise self.error


class FakeOutputs:
    """Remembers whether the publishers were removed."""

    removed = 0

    def __init__(self, _: Any, classes: tuple[str, ...]) -> None:
        assert classes == ('background', 'vehicle')
        type(self).removed = 0

    def destroy(self) -> None:
        type(self).removed += 1


def refuse_outputs(*_: Any) -> None:
    raise ConfigError('mask: an unfit QoS')


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> FakeSegmenter:
    made = FakeSegmenter()
    monkeypatch.setattr(session, 'find_bundle', lambda name: name)
    bundle = SimpleNamespace(manifest=SimpleNamespace(classes=('background', 'vehicle')))
    monkeypatch.setattr(session, 'ModelBundle', SimpleNamespace(read=lambda _: bundle))
    monkeypatch.setattr(session, 'Outputs', FakeOutputs)
    return made


class FakeNetworks:
    """Hands out one segmenter, and keeps what it is told."""

    def __init__(self, segmenter: FakeSegmenter, turns: Turns | None = None) -> None:
        self._segmenter = segmenter
        self._turns = turns
        self.reported: list[EngineError] = []
        self.user: NetworkUser | None = None

    def open(self, _: Any, config: Any, user: NetworkUser) -> OpenedNetworks:
        assert config == NodeParameters().pipeline_config()
        self.user = user
        return OpenedNetworks(
            segmenter=self._segmenter, turns=self._turns, report=self.reported.append
        )


def begin(
    networks: FakeNetworks,
    mailbox: Mailbox[Any] | None = None,
    on_crash: Callable[[BaseException], None] = pytest.fail,
) -> Session:
    node = SimpleNamespace(
        get_logger=lambda: None,
        get_fully_qualified_name=lambda: '/front/segmenter',
        context=SimpleNamespace(ok=lambda: True),
    )
    return Session(
        node,
        NodeParameters(),
        Mailbox() if mailbox is None else mailbox,
        FrameStatistics(),
        on_crash,
        pytest.fail,
        networks,
    )


def inference_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith('inference')]


def test_a_session_closes_its_networks_in_their_thread(segmenter: FakeSegmenter) -> None:
    opened = begin(FakeNetworks(segmenter))
    assert inference_threads() != []
    opened.close()
    assert segmenter.closed_in == ['inference_0']
    assert FakeOutputs.removed == 1
    assert inference_threads() == []


def test_networks_that_do_not_close_keep_nothing_else_open(segmenter: FakeSegmenter) -> None:
    segmenter.error = EngineError('the device is lost')
    opened = begin(FakeNetworks(segmenter))
    with pytest.raises(EngineError, match='the device is lost'):
        opened.close()
    assert FakeOutputs.removed == 1
    assert inference_threads() == []


def test_without_publishers_the_networks_are_closed(
    segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, 'Outputs', refuse_outputs)
    with pytest.raises(ConfigError, match='an unfit QoS'):
        begin(FakeNetworks(segmenter))
    assert segmenter.closed_in == ['inference_0']
    assert inference_threads() == []


class Crash:
    """Notes why images are processed no more."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.came = threading.Event()

    def __call__(self, error: BaseException) -> None:
        self.errors.append(error)
        self.came.set()


@pytest.mark.parametrize(
    ('error', 'is_reported'), [(EngineError('lost'), True), (ZeroDivisionError('a bug'), False)]
)
def test_networks_are_told_when_they_have_failed_for_good(
    segmenter: FakeSegmenter,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    is_reported: bool,
) -> None:
    def fail(_: Any) -> None:
        raise error

    networks, mailbox, crash = FakeNetworks(segmenter), Mailbox[Any](), Crash()
    opened = begin(networks, mailbox, crash)
    monkeypatch.setattr(opened._processor, 'process', fail)
    opened.start()
    mailbox.put('an image')
    assert crash.came.wait(10)
    opened.close()
    assert crash.errors == [error]
    assert networks.reported == ([error] if is_reported else [])


def test_what_failed_another_user_stops_this_one(segmenter: FakeSegmenter) -> None:
    networks, crash = FakeNetworks(segmenter, Turns(1)), Crash()
    opened = begin(networks, on_crash=crash)
    assert networks.user is not None
    assert networks.user.name == '/front/segmenter'
    # Nothing happens before images are processed.
    networks.user.fail(OtherUserError('early'))
    opened.start()
    error = OtherUserError('the device is lost')
    networks.user.fail(error)
    assert crash.came.wait(10)
    opened.stop()
    # It may be started again.
    crash.came.clear()
    opened.start()
    opened.close()
    assert crash.errors == [error]
