"""A soak in which all went well, and what can be changed of it."""

from __future__ import annotations

from typing import Any

from stseg_ros.soak.ledger import Balance
from stseg_ros.soak.mask_ages import MaskAge, MaskAges
from stseg_ros.soak.percentiles import Percentiles
from stseg_ros.soak.process_usage import Usage
from stseg_ros.soak.processes import NodeEnd
from stseg_ros.soak.promises import Outcome
from stseg_ros.soak.report import Story
from stseg_ros.soak.series import Sample

SECONDS = 60.0
COUNTS = {
    'frames_received': 95,
    'masks_published': 60,
    'frames_dropped': 25,
    'frames_bad': 10,
    'frames_failed': 0,
    'frames_lost': 5,
}
GOOD_END = NodeEnd(status=0, seconds=0.8, killed=False, processes_left=0, files_left=())
NO_WRONG = {'repeated': 0, 'of no image': 0, 'of a bad image': 0, 'of another size': 0}


def processing_ms(*values: float) -> Percentiles:
    found = Percentiles()
    for value in values:
        found.add(value)
    return found


STORY = Story(
    settings={'bundle': 'tiny', 'backend': 'openvino'},
    rate_hz=40.0,
    sustained_hz=20.0,
    steps=12,
    publisher_restarts=2,
    process_restarts=1,
    interrupted=False,
    faults={'truncated': 10},
    processing_ms=processing_ms(10.0, 20.0, 30.0),
)


def balance(**counts: int) -> Balance:
    return Balance(published=100, masks=60, counts={**COUNTS, **counts})


def age(waited_frames: float, at_s: float = 5.0) -> MaskAge:
    """Make an age of 45 ms, 20 of them processing, and 25 so many times between images."""
    frame_ms = 25.0 / waited_frames
    return MaskAge(
        at_s=at_s,
        to_node_ms=4.0,
        taking_ms=3.0,
        waiting_ms=16.0,
        processing_ms=20.0,
        to_listener_ms=2.0,
        frame_ms=frame_ms,
        step_frame_ms=frame_ms / 2.0,
    )


def ages(*several: MaskAge) -> MaskAges:
    found = MaskAges()
    for it in several:
        found.add(it)
    return found


def samples(**late: float) -> tuple[Sample, ...]:
    """Make a sample a second, whose values change in the second half of the minute."""
    usual = {'resident_mb': 300.0, 'descriptors': 19, 'threads': 33}
    found = []
    for at_s in range(61):
        values = {**usual, **(late if at_s > 30 else {})}
        held: Any = Usage(anonymous_mb=100.0, cpu_s=float(at_s), faults=at_s * 1000, **values)
        found.append(Sample(at_s=at_s, usage=held, balance=balance(), cores=0.5))
    return tuple(found)


GOOD = Outcome(
    balance=balance(),
    wrong_masks=NO_WRONG,
    ages=ages(*[age(0.5) for _ in range(200)]),
    samples=samples(),
    seconds=SECONDS,
    ended_early=False,
    end=GOOD_END,
)
