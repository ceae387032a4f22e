"""What every way to run the two stages offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from stseg_ros.errors import ConfigError

if TYPE_CHECKING:
    from stseg_ros.bundle import Geometry
    from stseg_ros.config import SegmenterSettings
    from stseg_ros.records import Frame, SegmentationResult


class Segmenter(Protocol):
    """Segments frames. It belongs to the thread that calls `segment`.

    Attributes:
        geometry: the sizes of the networks.
        backend: name of the inference backend.
        backend_note: which backend was taken and why, one line.
        settings: what may change between frames; any thread may assign it at any time.
        wants_logits: whether results must have their logits. Where they would have to be fetched
            from a GPU and this is False, results come without; any thread may assign it.
    """

    geometry: Geometry
    backend: str
    backend_note: str
    wants_logits: bool

    @property
    def device(self) -> str:
        """What it runs on now and in which arithmetic, for people."""
        ...

    @property
    def settings(self) -> SegmenterSettings:
        """See the class."""
        ...

    @settings.setter
    def settings(self, settings: SegmenterSettings) -> None: ...

    @property
    def max_regions(self) -> int:
        """The most regions that one frame may refine."""
        ...

    def segment(
        self, frame: Frame, limit_regions: Callable[[int], int] | None = None
    ) -> SegmentationResult:
        """Segment one frame.

        Args:
            frame: the camera image, of any size and aspect ratio.
            limit_regions: given the most regions that the settings allow, it returns how many this
                frame may refine.

        Returns:
            The mask at the camera's size with what led to it.

        Raises:
            FrameError: the frame cannot be used.
            EngineError: a network failed.
        """
        ...

    def warm_up(self) -> None:
        """Segment black frames, so that the first real one does not pay for first-time work."""
        ...

    def time_regions(self, counts: Iterable[int]) -> dict[int, int]:
        """Prepare these numbers of regions.

        Args:
            counts: numbers of regions, above 0.

        Returns:
            The shortest time of what depends on it, by number of regions, ns.
        """
        ...

    def close(self) -> None:
        """Free what the backend holds."""
        ...


def check_regions(settings: SegmenterSettings, geometry: Geometry) -> None:
    """Hold settings against a bundle.

    Args:
        settings: the settings.
        geometry: the bundle's sizes.

    Raises:
        ConfigError: they ask for more regions than the refine network takes.
    """
    if settings.regions > geometry.max_regions:
        raise ConfigError(
            f'regions is {settings.regions}; this bundle refines at most {geometry.max_regions}'
        )
