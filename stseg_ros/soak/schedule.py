"""What the camera of a soak sends, and when: sizes, encodings, rates and restarts, from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from stseg_ros.soak.frames import COMPRESSED, RAW

MAIN_HW = (720, 1280)
# What a camera does before a step: go on, open its publisher anew, or start anew as a process.
GO_ON, NEW_PUBLISHER, NEW_PROCESS = 'go on', 'new publisher', 'new process'

_BAD_SHARE = 0.1
# Of a long soak; a shorter one meets each kind of image too.
CYCLE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stretch of time in which the camera sends one kind of image.

    Attributes:
        seconds: its length.
        rate_hz: images per second.
        size_hw: rows and columns.
        encoding: a raw encoding, or 'jpeg' or 'png'.
        bad_share: share of images that are spoiled, in [0, 1].
        before: what the camera does first.
        seed: of the choice which images are spoiled, and how.
    """

    seconds: float
    rate_hz: float
    size_hw: tuple[int, int]
    encoding: str
    bad_share: float = _BAD_SHARE
    before: str = GO_ON
    seed: int = 0


# Size, encoding, share of the rate, what comes before. Each cycle has all of them.
_RAW_CYCLE = (
    (MAIN_HW, 'bgr8', 1.0, GO_ON),
    (MAIN_HW, 'bgr8', 1.0, NEW_PUBLISHER),
    (MAIN_HW, 'bgr8', 0.25, GO_ON),
    (MAIN_HW, 'bgr8', 1.5, GO_ON),
    (MAIN_HW, 'rgb8', 1.0, NEW_PUBLISHER),
    (MAIN_HW, 'rgb8', 1.0, NEW_PROCESS),
    (MAIN_HW, 'nv12', 1.0, GO_ON),
    (MAIN_HW, 'rgb16', 0.5, GO_ON),
    (MAIN_HW, 'bayer_rggb8', 1.0, GO_ON),
    ((480, 640), 'mono8', 1.0, GO_ON),
    ((375, 1242), 'bgra8', 1.0, GO_ON),
    ((1080, 1920), 'yuv422', 0.5, GO_ON),
)
_COMPRESSED_CYCLE = (
    (MAIN_HW, 'jpeg', 1.0, GO_ON),
    (MAIN_HW, 'jpeg', 1.0, NEW_PUBLISHER),
    (MAIN_HW, 'jpeg', 0.25, GO_ON),
    (MAIN_HW, 'jpeg', 1.5, GO_ON),
    (MAIN_HW, 'jpeg', 1.0, NEW_PUBLISHER),
    (MAIN_HW, 'jpeg', 1.0, NEW_PROCESS),
    (MAIN_HW, 'png', 0.5, GO_ON),
    ((480, 640), 'jpeg', 1.0, GO_ON),
    ((375, 1242), 'png', 1.0, GO_ON),
    ((1080, 1920), 'jpeg', 0.5, GO_ON),
)
_CYCLES = {RAW: _RAW_CYCLE, COMPRESSED: _COMPRESSED_CYCLE}


def make_schedule(
    *, seconds: float, rate_hz: float, transport: str, seed: int
) -> tuple[Step, ...]:
    """Plan a soak: cycles of the same steps, in another order each time.

    Args:
        seconds: length of all steps together, above 0.
        rate_hz: images per second; some steps have less or more.
        transport: 'raw' or 'compressed'.
        seed: the same seed plans the same soak.

    Returns:
        The steps; the last cycle may lack some.
    """
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    cycle = _CYCLES[transport]
    step_s = min(CYCLE_S, seconds) / len(cycle)
    steps: list[Step] = []
    while len(steps) < round(seconds / step_s):
        for size_hw, encoding, share, before in dice.sample(cycle, len(cycle)):
            steps.append(
                Step(
                    seconds=step_s,
                    rate_hz=share * rate_hz,
                    size_hw=size_hw,
                    encoding=encoding,
                    before=before,
                    seed=dice.randrange(1 << 30),
                )
            )
    return tuple(steps[: round(seconds / step_s)])


def usual_step(*, transport: str, seconds: float, rate_hz: float) -> Step:
    """Plan good images of the usual kind.

    Args:
        transport: 'raw' or 'compressed'.
        seconds: how long.
        rate_hz: images per second.

    Returns:
        The step.
    """
    size_hw, encoding, _, _ = _CYCLES[transport][0]
    return Step(
        seconds=seconds, rate_hz=rate_hz, size_hw=size_hw, encoding=encoding, bad_share=0.0
    )


def warm_up(*, transport: str, seconds: float, rate_hz: float) -> tuple[Step, ...]:
    """Plan what comes before: each kind of image once, the largest first, and none spoiled.

    The node's buffers have their final sizes then.

    Args:
        transport: 'raw' or 'compressed'.
        seconds: length of each step.
        rate_hz: images per second.

    Returns:
        The steps.
    """
    kinds = {(size_hw, encoding) for size_hw, encoding, _, _ in _CYCLES[transport]}
    ordered = sorted(kinds, key=lambda kind: (-kind[0][0] * kind[0][1], kind[1]))
    return tuple(
        Step(seconds=seconds, rate_hz=rate_hz, size_hw=size_hw, encoding=encoding, bad_share=0.0)
        for size_hw, encoding in ordered
    )
