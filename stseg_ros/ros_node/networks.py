"""Where a node gets its networks from: of its own, or shared with other nodes of the process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stseg_ros.assembly import open_segmenter
from stseg_ros.errors import EngineError

if TYPE_CHECKING:
    from stseg_ros.bundle import ModelBundle
    from stseg_ros.config import PipelineConfig
    from stseg_ros.pipeline.segmenter import Segmenter


class OtherUserError(EngineError):
    """Shared networks failed another of their users."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkUser:
    """Who uses networks.

    Attributes:
        name: the node's full name.
        progress: told the share done and the phase, while the backend builds its engines.
        stop: asked meanwhile; True gives up.
        fail: told the error by which another user of the same networks had to stop; any thread
            may call it at any time.
    """

    name: str
    progress: Callable[[float, str], None]
    stop: Callable[[], bool]
    fail: Callable[[OtherUserError], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedNetworks:
    """Networks in use.

    Attributes:
        segmenter: what runs them, for the thread that opened them.
        turns: to be entered for each image, before it is taken; None where nobody else wants the
            processor.
        report: to be told the error by which the user had to stop.
    """

    segmenter: Segmenter
    turns: AbstractContextManager[None] | None
    report: Callable[[EngineError], None]


class Networks(Protocol):
    """Opens networks for nodes."""

    def open(
        self, bundle: ModelBundle, config: PipelineConfig, user: NetworkUser
    ) -> OpenedNetworks:
        """Open a bundle's networks.

        Args:
            bundle: the verified bundle.
            config: how to run it.
            user: who will use them; closing the segmenter ends that.

        Returns:
            The networks.

        Raises:
            StsegError: the bundle, a setting or the backend is at fault.
        """
        ...


class OwnNetworks:
    """Networks that nobody else uses; see `Networks`."""

    def open(
        self, bundle: ModelBundle, config: PipelineConfig, user: NetworkUser
    ) -> OpenedNetworks:
        """See `Networks.open`."""
        segmenter = open_segmenter(bundle, config, progress=user.progress, stop=user.stop)
        return OpenedNetworks(segmenter=segmenter, turns=None, report=_tell_nobody)


def _tell_nobody(error: EngineError) -> None:
    """Nobody else uses them."""
