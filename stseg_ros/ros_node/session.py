"""What the node holds from configure to cleanup: networks, their thread, publishers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stseg_ros.assembly import resolve_settings
from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.errors import EngineError
from stseg_ros.ros_node.frame_processor import FrameProcessor, ReceivedImage
from stseg_ros.ros_node.inference_worker import InferenceWorker
from stseg_ros.ros_node.networks import NetworkUser
from stseg_ros.ros_node.outputs import Outputs

if TYPE_CHECKING:
    from rclpy.node import Node

    from stseg_ros.ros_node.frame_statistics import FrameStatistics
    from stseg_ros.ros_node.mailbox import Mailbox
    from stseg_ros.ros_node.networks import Networks, OpenedNetworks
    from stseg_ros.ros_node.parameters import NodeParameters


class Session:
    """An opened bundle, ready to process images.

    Attributes:
        bundle: the open bundle.
        segmenter: the open segmenter; only its plain attributes and its settings may be used here.
    """

    def __init__(
        self,
        node: Node,
        parameters: NodeParameters,
        mailbox: Mailbox[ReceivedImage],
        statistics: FrameStatistics,
        on_crash: Callable[[BaseException], None],
        on_build: Callable[[float, str], None],
        networks: Networks,
    ) -> None:
        """Open the networks in their thread, wait for it, and create the publishers.

        Args:
            node: the node.
            parameters: the node's parameters.
            mailbox: where images come from.
            statistics: what is counted.
            on_crash: called in the inference thread when it ended by an error.
            on_build: called in the inference thread with the share done and the phase, while
                the backend builds its engines.
            networks: opens the networks.

        Raises:
            StsegError: the bundle, a setting or the backend is at fault.
        """
        self._mailbox = mailbox
        self._on_crash = on_crash
        self._worker = InferenceWorker(mailbox, self._give_up)
        user = NetworkUser(
            name=node.get_fully_qualified_name(),
            progress=on_build,
            stop=lambda: not node.context.ok(),
            fail=mailbox.fail,
        )
        try:
            self.bundle, self._networks = self._worker.call(
                lambda: _open(parameters, networks, user)
            )
        except BaseException:
            self._worker.close()
            raise
        self.segmenter = self._networks.segmenter
        try:
            self._outputs = Outputs(node, self.bundle.manifest.classes)
        except BaseException:
            self._close_networks()
            raise
        self._processor = FrameProcessor(
            segmenter=self.segmenter,
            outputs=self._outputs,
            statistics=statistics,
            dropped=lambda: mailbox.dropped,
            parameters=parameters,
            logger=node.get_logger(),
            is_shut_down=lambda: not node.context.ok(),
        )

    def apply(self, parameters: NodeParameters) -> None:
        """Take over changed parameters, from the next frame on.

        Args:
            parameters: the node's parameters.

        Raises:
            ConfigError: a value does not fit the bundle; nothing has changed then.
        """
        self.segmenter.settings = resolve_settings(self.bundle, parameters.pipeline_config())
        self._processor.parameters = parameters

    def count_subscribers(self) -> tuple[int, int]:
        """Return how many listen to masks and to timings; any thread may ask."""
        return self._outputs.count_subscribers()

    def prepare(self) -> None:
        """Prepare what the first images would otherwise have to wait for.

        Raises:
            EngineError: a network failed.
        """
        # Not in a turn: it may take seconds, and other cameras are served between its parts.
        self._worker.call(self._processor.prepare)

    def start(self) -> None:
        """Process images from now on."""
        self._mailbox.open()
        self._worker.run(self._processor.process, self._networks.turns)

    def stop(self) -> None:
        """Finish the image under way and process no other."""
        self._mailbox.close()
        self._worker.join()

    def close(self) -> None:
        """Stop, close the networks in their thread, end it, and remove the publishers.

        Raises:
            EngineError: the networks did not close; all else is done.
        """
        self.stop()
        try:
            self._close_networks()
        finally:
            self._outputs.destroy()

    def _give_up(self, error: BaseException) -> None:
        """Images are processed no more; runs in the inference thread."""
        if isinstance(error, EngineError):
            self._networks.report(error)
        self._on_crash(error)

    def _close_networks(self) -> None:
        try:
            self._worker.call(self.segmenter.close)
        finally:
            self._worker.close()


def _open(
    parameters: NodeParameters, networks: Networks, user: NetworkUser
) -> tuple[ModelBundle, OpenedNetworks]:
    bundle = ModelBundle.read(find_bundle(parameters.bundle))
    return bundle, networks.open(bundle, parameters.pipeline_config(), user)
