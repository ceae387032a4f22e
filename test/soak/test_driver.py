"""Tests of how a soak is driven, with a camera, a node and a clock that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stseg_ros.errors import StsegError
from stseg_ros.soak import course, driver, sustained_rate
from stseg_ros.soak.course import Course, SoakOptions
from stseg_ros.soak.driver import Driver, NodeEndedError
from stseg_ros.soak.ledger import Ledger, ReceivedMask
from stseg_ros.soak.schedule import NEW_PROCESS, NEW_PUBLISHER, Step


class Rig:
    """What a driver drives: listener, node and camera in one, and the time that they take.

    Attributes:
        lost: how many of the next images do not reach the node.
        on_listen: called whenever time goes by.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.ledger = Ledger()
        self.orders: list[dict[str, Any]] = []
        self.lost = 0
        self.on_listen: Callable[[], None] = lambda: None
        self.stopped = self.ended = self.closed = self.served = self.building = False
        self.problem = ''
        self.summaries = 0
        self._said: list[dict[str, Any]] = []
        self._stamp_ns = 0
        self._missed = 0
        clock = SimpleNamespace(
            monotonic=lambda: self.now_s, monotonic_ns=lambda: int(self.now_s * 1e9)
        )
        for module in (course, driver, sustained_rate):
            monkeypatch.setattr(module, 'time', clock)
        rig: Any = self
        self.driver = Driver(
            ledger=self.ledger,
            listener=rig,
            node=rig,
            start_camera=lambda: rig,
            transport='raw',
            logs=Path('logs'),
            tick=lambda: None,
            is_stopped=lambda: self.stopped,
        )

    def listen(self, seconds: float) -> None:
        self.now_s += seconds
        self.summaries += 1
        self.on_listen()

    def is_served(self) -> bool:
        return self.served

    def is_building(self) -> bool:
        return self.building

    def check_alive(self) -> None:
        assert not self.ended

    def has_ended(self) -> bool:
        return self.ended

    def order(self, do: str = '', **order: Any) -> None:
        self.orders.append({'do': do, **order})
        if do == 'send':
            self._send(**order)
        if do:
            self._said.append({'done': do})

    def answers(self) -> list[dict[str, Any]]:
        said, self._said = self._said, []
        return said

    def close(self) -> None:
        self.closed = True

    def sent(self) -> list[int]:
        """Return how many images each order was for."""
        return [order['images'] for order in self.orders if order['do'] == 'send']

    def _send(self, images: int, rate_hz: float, size_hw: tuple[int, int], **_: Any) -> None:
        sent = []
        for _number in range(images):
            self._stamp_ns += 1
            stamp_ns = self._stamp_ns
            sent.append((stamp_ns, stamp_ns, ''))
            if self.lost:
                self.lost -= 1
                self._missed += 1
                continue
            # By the number of this one, the node knows what it has missed.
            counts = {'frames_received': 0, 'masks_published': 0, 'frames_lost': self._missed}
            others = dict.fromkeys(('frames_dropped', 'frames_bad', 'frames_failed'), 0)
            self.ledger.note_counts({key: str(it) for key, it in {**counts, **others}.items()})
            self.ledger.note_mask(
                ReceivedMask(stamp_ns=stamp_ns, received_ns=stamp_ns, size_hw=size_hw)
            )
        self.now_s += (images - 1) / rate_hz
        self._said.append({'sent': sent})


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def step(**changes: Any) -> Step:
    options = {'seconds': 5.0, 'rate_hz': 10.0, 'size_hw': (72, 128), 'encoding': 'bgr8'}
    return Step(**{**options, **changes})


@pytest.mark.parametrize(
    ('rate_hz', 'images'), [(10.0, 50), (0.3, 2), (0.1, 1), (0.01, 1)], ids=str
)
def test_a_step_takes_its_time_at_any_rate_and_has_an_image(
    rig: Rig, rate_hz: float, images: int
) -> None:
    rig.driver.open_camera()
    rig.orders.clear()
    start_s = rig.now_s
    rig.driver.run(step(rate_hz=rate_hz), 0)
    assert rig.sent() == [images]
    assert rig.now_s - start_s == pytest.approx(5.0, abs=0.2)


@pytest.mark.parametrize('lost', [1, 2])
def test_images_that_are_lost_at_the_end_are_found_by_one_more(rig: Rig, lost: int) -> None:
    rig.driver.open_camera()
    rig.driver.run(step(), 0)
    assert rig.driver.settle()
    # The last image, and perhaps the first that is to tell of it.
    rig.lost = lost
    rig.driver.run(step(seconds=0.1, rate_hz=10.0), 1)
    rig.orders.clear()
    assert rig.driver.settle()
    assert rig.sent() == [1] * lost
    assert rig.ledger.balance().uncounted == 0


@pytest.mark.parametrize('before', [NEW_PUBLISHER, NEW_PROCESS])
def test_who_wants_to_stop_does_not_wait_for_a_node_that_does_not_hear(
    rig: Rig, before: str
) -> None:
    rig.driver.open_camera()
    rig.orders.clear()
    rig.lost = 1_000

    def stop_at_the_second_greeting() -> None:
        rig.stopped = len(rig.sent()) >= 2

    rig.on_listen = stop_at_the_second_greeting
    rig.driver.run(step(before=before), 0)
    # And the images of the step are not sent to nobody.
    assert rig.sent() == [1, 1]
    assert rig.ledger.balance().uncounted == 0


def test_a_node_that_does_not_hear_is_told(rig: Rig) -> None:
    rig.lost = 1_000
    with pytest.raises(StsegError, match=r'answers none of 60 images; see logs/node\.log'):
        rig.driver.open_camera()


def test_a_node_that_cannot_start_is_told_at_once(rig: Rig) -> None:
    def fail() -> None:
        rig.problem = 'configuring failed: no NVIDIA GPU here'

    rig.on_listen = fail
    with pytest.raises(StsegError, match=r'does not start: configuring failed: no NVIDIA GPU'):
        rig.driver.await_node()
    assert rig.now_s < 1.0


@pytest.mark.parametrize('building', [True, False])
def test_engines_that_are_being_built_are_waited_for(rig: Rig, building: bool) -> None:
    def build() -> None:
        rig.building = building and rig.now_s < 600.0
        rig.served = rig.now_s > 630.0

    rig.on_listen = build
    if building:
        rig.driver.await_node()
        assert rig.now_s > 630.0
    else:
        with pytest.raises(StsegError, match=r'not active after 60 s; see logs/node\.log'):
            rig.driver.await_node()


def test_a_node_that_has_ended_is_told_with_its_log(rig: Rig) -> None:
    rig.driver.open_camera()
    rig.ended = True
    with pytest.raises(NodeEndedError, match=r'ended by itself; see logs/node\.log'):
        rig.driver.run(step(), 0)


def make_course(rig: Rig) -> Course:
    options = SoakOptions(
        seconds=60.0,
        rate_hz=None,
        transport='raw',
        bundle='tiny',
        backend='auto',
        seed=0,
        output=Path('logs'),
    )
    return Course(options, rig.ledger, lambda _: None, lambda: rig.stopped)


def test_a_soak_that_is_ended_while_the_rate_is_measured_blames_nobody(rig: Rig) -> None:
    rig.served = True
    under_way = make_course(rig)
    measure = driver.Driver.run

    def stop_before_the_rate(it: Driver, planned: Step, index: int) -> None:
        rig.stopped = planned.seconds == 3.0
        measure(it, planned, index)

    rig.driver.run = stop_before_the_rate.__get__(rig.driver)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        under_way.prepare(rig.driver)


def test_a_node_without_masks_has_no_rate(rig: Rig) -> None:
    rig.driver.open_camera()
    rig.lost = 1_000
    with pytest.raises(StsegError, match=r'no mask came .* at 30 images per second; give a --ra'):
        sustained_rate.sustained_rate_hz(rig.driver, rig.ledger, 'raw')


def test_the_rate_is_what_the_node_makes_of_more(rig: Rig) -> None:
    rig.served = True
    under_way = make_course(rig)
    under_way.prepare(rig.driver)
    # It keeps up with all that a camera can send, and is given twice as much.
    assert under_way.sustained_hz == pytest.approx(240.0, rel=0.05)
    assert under_way.rate_hz == 2.0 * (under_way.sustained_hz or 0.0)
    assert max(rig.sent()) == 720
