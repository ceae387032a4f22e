"""Tests of what is joined into one batch, and of who gets which answer."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from stseg_ros.engines.engine_protocol import TensorSpec
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder
from stseg_ros.ros_node.many_cameras.request_queue import Request, RequestQueue, serve

MAX_BATCH = 8


class FakeNetwork:
    """Its logits are the first channel; it keeps one array for all of them, as engines do."""

    def __init__(self, batch: int | None) -> None:
        self.input = TensorSpec(name='image', shape=(batch, 2, 2, 3), dtype='uint8')
        self.batches: list[tuple[int, ChannelOrder]] = []
        self.error: Exception | None = None
        self._logits = np.zeros((MAX_BATCH, 2, 2), np.uint8)

    def infer(self, batch_nhwc: np.ndarray, order: ChannelOrder) -> Any:
        assert batch_nhwc.flags.c_contiguous
        self.batches.append((len(batch_nhwc), order))
        if self.error is not None:
            raise self.error
        logits = self._logits[: len(batch_nhwc)]
        logits[...] = batch_nhwc[..., 0]
        return logits


def request(network: Any, values: list[int], order: ChannelOrder = ChannelOrder.RGB) -> Request:
    batch = np.zeros((len(values), 2, 2, 3), np.uint8)
    batch[..., 0] = np.array(values)[:, None, None]
    return Request(network=network, batch_nhwc=batch, order=order)


def answer(asked: Request) -> list[int]:
    logits = asked.answer.result(timeout=10)
    assert logits.shape[1:] == (2, 2)
    return logits[:, 1, 1].tolist()


@pytest.fixture
def queue() -> RequestQueue:
    queue = RequestQueue(MAX_BATCH)
    queue.open()
    return queue


@pytest.fixture
def refine() -> Any:
    return FakeNetwork(None)


def test_what_waits_is_refined_in_one_batch(queue: RequestQueue, refine: Any) -> None:
    asked = [request(refine, values) for values in ([1, 2], [3], [4, 5, 6])]
    for it in asked:
        queue.put(it)
    together = queue.take()
    assert together == asked
    serve(together)
    assert refine.batches == [(6, ChannelOrder.RGB)]
    assert [answer(it) for it in asked] == [[1, 2], [3], [4, 5, 6]]


def test_answers_outlive_the_next_batch(queue: RequestQueue, refine: Any) -> None:
    first = request(refine, [7, 8])
    serve([first])
    serve([request(refine, [1, 1]), request(refine, [2])])
    assert answer(first) == [7, 8]


def test_a_batch_is_no_larger_than_the_network_takes(queue: RequestQueue, refine: Any) -> None:
    sizes = (5, 4, 3, 2)
    asked = [request(refine, [1] * size) for size in sizes]
    for it in asked:
        queue.put(it)
    # 5 and 4 do not fit together, 5 and 3 do.
    taken = [queue.take() for _ in range(2)]
    assert taken == [[asked[0], asked[2]], [asked[1], asked[3]]]


def test_only_what_goes_together_is_joined(queue: RequestQueue, refine: Any) -> None:
    coarse = FakeNetwork(1)
    asked = [
        request(refine, [1], ChannelOrder.BGR),
        request(coarse, [2]),
        request(refine, [3]),
        request(coarse, [4]),
        request(refine, [5], ChannelOrder.BGR),
    ]
    for it in asked:
        queue.put(it)
    taken = [queue.take() for _ in range(4)]
    assert taken == [[asked[0], asked[4]], [asked[1]], [asked[2]], [asked[3]]]
    for together in taken:
        assert together is not None
        serve(together)
    assert [answer(it) for it in asked] == [[1], [2], [3], [4], [5]]
    assert refine.batches == [(2, ChannelOrder.BGR), (1, ChannelOrder.RGB)]


def test_a_failure_reaches_everyone_in_the_batch(queue: RequestQueue, refine: Any) -> None:
    asked = [request(refine, [1]), request(refine, [2])]
    refine.error = EngineError('the device is lost')
    serve(asked)
    errors = [it.answer.exception(timeout=10) for it in asked]
    assert [str(error) for error in errors] == 2 * ['the device is lost']
    assert errors[0] is not errors[1]

    refine.error = ZeroDivisionError('a bug')
    bug = request(refine, [1])
    serve([bug])
    with pytest.raises(ZeroDivisionError, match='a bug'):
        bug.answer.result(timeout=10)


def test_logits_of_a_wrong_shape_leave_nobody_waiting(refine: Any) -> None:
    asked = [request(refine, [1]), request(refine, [2])]
    refine.infer = lambda *_: None
    serve(asked)
    assert all(isinstance(it.answer.exception(timeout=10), TypeError) for it in asked)


def test_a_closed_queue_answers_with_an_error(queue: RequestQueue, refine: Any) -> None:
    waiting = request(refine, [1])
    queue.put(waiting)
    taken: list[Any] = []
    queue.close()
    late = request(refine, [1])
    queue.put(late)
    for it in (waiting, late):
        with pytest.raises(EngineError, match='shared networks are closed'):
            it.answer.result(timeout=10)
    assert queue.take() is None
    assert not queue.wait()

    queue.open()
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    queue.close()
    thread.join(10)
    assert taken == [None]
