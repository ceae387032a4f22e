"""A pair of networks in a thread of its own, used by several cameras."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from stseg_ros.engines.backends import EnginePair
from stseg_ros.engines.engine_protocol import check_batch
from stseg_ros.records import ChannelOrder, UInt8Array
from stseg_ros.ros_node.inference_worker import InferenceWorker
from stseg_ros.ros_node.many_cameras.request_queue import Request, RequestQueue, serve

if TYPE_CHECKING:
    from stseg_ros.engines.engine_protocol import InferenceEngine


class SharedEngine:
    """One camera's access to a network that another thread owns; see `InferenceEngine`.

    Unlike a network's own, its logits stay valid: they belong to whoever asked for them.
    """

    def __init__(
        self, network: InferenceEngine, queue: RequestQueue, release: Callable[[], None]
    ) -> None:
        """Describe the network.

        Args:
            network: the network, which is only looked at here.
            queue: where its thread takes requests from.
            release: called by `close`.
        """
        self.backend = network.backend
        self.device = network.device
        self.input = network.input
        self.output = network.output
        self._network = network
        self._queue = queue
        self._release = release

    def infer(
        self, batch_nhwc: UInt8Array, order: ChannelOrder = ChannelOrder.RGB
    ) -> npt.NDArray[Any]:
        """See `InferenceEngine.infer`."""
        # Here, where it hits nobody whose batch might be joined to this one.
        check_batch(batch_nhwc, self.input)
        request = Request(network=self._network, batch_nhwc=batch_nhwc, order=order)
        self._queue.put(request)
        logits_nhw = request.answer.result()
        self.device = self._network.device
        return logits_nhw

    def close(self) -> None:
        """Give the pair up that the network belongs to."""
        self._release()


class SharedPair:
    """Opens a pair of networks, runs and closes it in one thread."""

    def __init__(self, open_networks: Callable[[], EnginePair], max_batch: int) -> None:
        """Open the networks.

        Args:
            open_networks: opens them, in their thread.
            max_batch: the largest batch of stage 2.

        Raises:
            StsegError: what `open_networks` raises.
        """
        self._queue = RequestQueue(max_batch)
        self._worker: InferenceWorker[list[Request]] = InferenceWorker(self._queue, _never)
        try:
            self._networks = self._worker.call(open_networks)
        except BaseException:
            self._worker.close()
            raise
        self._queue.open()
        self._worker.run(serve)

    def lend(self, release: Callable[[], None]) -> EnginePair:
        """Return the networks as one camera uses them.

        Args:
            release: called when the camera closes them, once for each network.
        """
        networks = self._networks
        return EnginePair(
            coarse=SharedEngine(networks.coarse, self._queue, release),
            refine=SharedEngine(networks.refine, self._queue, release),
            note=networks.note,
        )

    def close(self) -> None:
        """Close the networks in their thread, and end it.

        Raises:
            EngineError: they did not close; the thread has ended all the same.
        """
        self._queue.close()
        self._worker.join()
        try:
            self._worker.call(self._networks.close)
        finally:
            self._worker.close()


def _never(error: BaseException) -> None:
    """`serve` raises nothing."""
    raise AssertionError from error
