"""What cameras ask of networks that they share, and how the answers are computed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder, UInt8Array

if TYPE_CHECKING:
    from stseg_ros.engines.engine_protocol import InferenceEngine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """One call of `InferenceEngine.infer`, to be made by the thread that owns the network.

    Attributes:
        network: which network.
        batch_nhwc: its batch, which fits it and stays as it is until the answer is there.
        order: order of the batch's colours.
        answer: (N, h, w) logits that belong to whoever asked, or what the call raised.
    """

    network: InferenceEngine
    batch_nhwc: UInt8Array
    order: ChannelOrder
    answer: Future[npt.NDArray[Any]] = field(default_factory=Future)


class RequestQueue:
    """Requests in the order in which they came, those together that one batch can hold.

    A camera waits for its answer before it asks again: so each is served once before any is
    served twice.
    """

    def __init__(self, max_batch: int) -> None:
        """Start empty and closed.

        Args:
            max_batch: the largest batch of a network whose batch axis is free.
        """
        self._max_batch = max_batch
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._closed = True

    def put(self, request: Request) -> None:
        """Leave a request; on a closed queue its answer is an error.

        Args:
            request: what is asked.
        """
        with self._changed:
            if not self._closed:
                self._waiting.append(request)
                self._changed.notify()
                return
        request.answer.set_exception(EngineError('the shared networks are closed'))

    def wait(self) -> bool:
        """Wait for a request.

        Returns:
            Whether there is one; False once the queue is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return not self._closed

    def take(self) -> list[Request] | None:
        """Wait for requests, and take the oldest with all others that fit into its batch.

        Returns:
            Requests of one network and one order of channels; None once the queue is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            first = self._waiting.popleft()
            together, size = [first], len(first.batch_nhwc)
            if self._waiting and first.network.input.shape[0] is None:
                for other in list(self._waiting):
                    if (other.network, other.order) != (first.network, first.order):
                        continue
                    if size + len(other.batch_nhwc) <= self._max_batch:
                        self._waiting.remove(other)
                        together.append(other)
                        size += len(other.batch_nhwc)
            return together

    def open(self) -> None:
        """Accept requests from now on."""
        with self._changed:
            self._closed = False

    def close(self) -> None:
        """Accept no more; what waits is answered by an error."""
        with self._changed:
            self._closed = True
            left, self._waiting = self._waiting, deque()
            self._changed.notify_all()
        for request in left:
            request.answer.set_exception(EngineError('the shared networks are closed'))


def serve(together: Sequence[Request]) -> None:
    """Answer requests by one call of their network; nothing is raised.

    Args:
        together: from `RequestQueue.take`.
    """
    first = together[0]
    try:
        if len(together) == 1:
            batch_nhwc = first.batch_nhwc
        else:
            batch_nhwc = np.concatenate([request.batch_nhwc for request in together])
        logits_nhw = first.network.infer(batch_nhwc, first.order)
        start = 0
        for request in together:
            end = start + len(request.batch_nhwc)
            # The network overwrites its logits for the next camera, while this one uses them.
            request.answer.set_result(np.array(logits_nhw[start:end]))
            start = end
    except Exception as err:  # noqa: BLE001 - it belongs to those who wait, for ever otherwise
        for request in together:
            if not request.answer.done():
                # Each raises it in a thread of its own, where it gathers a traceback.
                own = EngineError(str(err)) if isinstance(err, EngineError) else err
                request.answer.set_exception(own)
