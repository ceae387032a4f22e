"""Tests that a session which cannot begin or end as it should leaves nothing open."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.errors import ConfigError, EngineError
from stseg_ros.ros_node import session
from stseg_ros.ros_node.frame_statistics import FrameStatistics
from stseg_ros.ros_node.mailbox import Mailbox
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

    def __init__(self, _: Any) -> None:
        type(self).removed = 0

    def destroy(self) -> None:
        type(self).removed += 1


def refuse_outputs(_: Any) -> None:
    raise ConfigError('mask: an unfit QoS')


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> FakeSegmenter:
    made = FakeSegmenter()
    monkeypatch.setattr(session, '_open', lambda *_: ('a bundle', made))
    monkeypatch.setattr(session, 'Outputs', FakeOutputs)
    return made


def begin() -> Session:
    return Session(
        SimpleNamespace(get_logger=lambda: None),
        NodeParameters(),
        Mailbox(),
        FrameStatistics(),
        pytest.fail,
        pytest.fail,
    )


def inference_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith('inference')]


def test_a_session_closes_its_networks_in_their_thread(segmenter: FakeSegmenter) -> None:
    opened = begin()
    assert inference_threads() != []
    opened.close()
    assert segmenter.closed_in == ['inference_0']
    assert FakeOutputs.removed == 1
    assert inference_threads() == []


def test_networks_that_do_not_close_keep_nothing_else_open(segmenter: FakeSegmenter) -> None:
    segmenter.error = EngineError('the device is lost')
    opened = begin()
    with pytest.raises(EngineError, match='the device is lost'):
        opened.close()
    assert FakeOutputs.removed == 1
    assert inference_threads() == []


def test_without_publishers_the_networks_are_closed(
    segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, 'Outputs', refuse_outputs)
    with pytest.raises(ConfigError, match='an unfit QoS'):
        begin()
    assert segmenter.closed_in == ['inference_0']
    assert inference_threads() == []
