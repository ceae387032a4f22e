"""How old masks were when they came, and where the time went; figures that do not grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stseg_ros.soak.percentiles import Percentiles

PERCENTILES = (50, 95, 99)
WINDOW_S = 10.0
# The stretches of an image's way, in their order; together they are the mask's age.
LEGS = ('to_node', 'taking', 'waiting', 'processing', 'to_listener')

_OPEN_WINDOWS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskAge:
    """How old a mask of the schedule was when it came, all in ms.

    Attributes:
        at_s: time since the start of the schedule.
        to_node_ms: from just before the image was published to the node's middleware.
        taking_ms: from there to the node's callback: waiting for the executor, and unpacking; 0
            where the middleware does not tell, and part of `to_node_ms` then.
        waiting_ms: until the node began to work on it.
        processing_ms: the node's work on it, decoding to publishing.
        to_listener_ms: from the end of that to the listener's middleware; it may have arrived
            there before the node's publishing had returned, which counts as 0 or less.
        frame_ms: time until the next image was published, or between two of the step if longer.
        step_frame_ms: time between two images of the step.
    """

    at_s: float
    to_node_ms: float
    taking_ms: float
    waiting_ms: float
    processing_ms: float
    to_listener_ms: float
    frame_ms: float
    step_frame_ms: float

    @property
    def age_ms(self) -> float:
        """From just before the image was published to its mask."""
        return sum(self.leg_ms(leg) for leg in LEGS)

    @property
    def waited_frames(self) -> float:
        """The age without the processing, in times until the next image.

        What waits is replaced by the next image; while the camera sends none, nothing can be.
        """
        return self._waited_ms / self.frame_ms

    @property
    def waited_step_frames(self) -> float:
        """The same in times between two images of the step, even where the camera paused."""
        return self._waited_ms / self.step_frame_ms

    @property
    def _waited_ms(self) -> float:
        return max(0.0, self.age_ms - self.processing_ms)

    def leg_ms(self, leg: str) -> float:
        """Return a stretch of the way.

        Args:
            leg: one of `LEGS`.
        """
        found: float = getattr(self, f'{leg}_ms')
        return found


class MaskAges:
    """Counts the ages of masks.

    Attributes:
        age_ms: the ages.
        waited_frames: see `MaskAge.waited_frames`.
        waited_step_frames: see `MaskAge.waited_step_frames`.
        legs_ms: the stretches of the way, by the names in `LEGS`.
    """

    def __init__(self) -> None:
        """Start without a mask."""
        self.age_ms = Percentiles()
        self.waited_frames = Percentiles()
        self.waited_step_frames = Percentiles()
        self.legs_ms: Mapping[str, Percentiles] = {leg: Percentiles() for leg in LEGS}
        self._open: dict[int, list[float]] = {}
        self._closed: dict[int, tuple[float, ...]] = {}

    def __len__(self) -> int:
        """Return how many masks have come."""
        return len(self.age_ms)

    def add(self, age: MaskAge) -> None:
        """Count a mask.

        Args:
            age: how old it was.
        """
        self.age_ms.add(age.age_ms)
        self.waited_frames.add(age.waited_frames)
        self.waited_step_frames.add(age.waited_step_frames)
        for leg, found in self.legs_ms.items():
            found.add(age.leg_ms(leg))
        window = int(age.at_s // WINDOW_S)
        # A mask that comes after its window was summed up is in the figures of the whole only.
        if window not in self._closed:
            self._open.setdefault(window, []).append(age.age_ms)
            if len(self._open) > _OPEN_WINDOWS:
                self._sum_up(min(self._open))

    def waited_frames_p99(self) -> float | None:
        """Return what 99 % of the masks waited at most, in times until the next image."""
        return self.waited_frames.at([99])[0] if len(self) else None

    def waited_step_frames_p99(self) -> float | None:
        """Return the same in times between two images of the step."""
        return self.waited_step_frames.at([99])[0] if len(self) else None

    def windows(self) -> list[tuple[float, Sequence[float]]]:
        """List the middle of each ten seconds, in s, and the ages' `PERCENTILES` in it, in ms."""
        for window in list(self._open):
            self._sum_up(window)
        return [((it + 0.5) * WINDOW_S, found) for it, found in sorted(self._closed.items())]

    def _sum_up(self, window: int) -> None:
        self._closed[window] = tuple(np.percentile(self._open.pop(window), PERCENTILES).tolist())
