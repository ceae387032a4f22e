"""What the node promises, and whether a soak saw it kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stseg_ros.soak.ledger import FAILED, Balance
from stseg_ros.soak.mask_ages import MaskAges
from stseg_ros.soak.process_usage import Usage
from stseg_ros.soak.processes import NodeEnd
from stseg_ros.soak.series import Growth, Sample, growth

MOST_WAITED_FRAMES = 2.0
MOST_GROWN_MB = 20.0
# The middleware opens and closes some for each publisher that comes and goes.
MOST_GROWN_DESCRIPTORS = 4.0
MOST_GROWN_THREADS = 2.0
LONGEST_END_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise.

    Attributes:
        name: what is promised.
        kept: whether the soak saw it kept; None where it could not be seen.
        found: what the soak saw.
    """

    name: str
    kept: bool | None
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a soak, for `judge`.

    Attributes:
        balance: the books at the end.
        wrong_masks: see `Ledger.wrong_masks`.
        ages: of all masks of the schedule.
        samples: see `Sampler`.
        seconds: how long the schedule ran.
        ended_early: whether the node ended by itself.
        end: how the node ended.
    """

    balance: Balance
    wrong_masks: Mapping[str, int]
    ages: MaskAges
    samples: Sequence[Sample]
    seconds: float
    ended_early: bool
    end: NodeEnd


def judge(outcome: Outcome) -> tuple[Promise, ...]:
    """Compare what came of a soak with what is promised.

    Args:
        outcome: what came of it.

    Returns:
        All promises.
    """
    return (
        _lives(outcome),
        _counted(outcome.balance),
        _masks(outcome),
        _no_failure(outcome.balance),
        _age(outcome.ages),
        _memory(outcome),
        _steady(
            'no file descriptor leaks',
            outcome,
            lambda usage: usage.descriptors,
            MOST_GROWN_DESCRIPTORS,
        ),
        _steady('no thread leaks', outcome, lambda usage: usage.threads, MOST_GROWN_THREADS),
        _ends(outcome),
        _leaves_nothing(outcome.end),
    )


def _lives(outcome: Outcome) -> Promise:
    found = f'it ended with status {outcome.end.status}' if outcome.ended_early else 'it did'
    return Promise(
        name='the node lives through all of it', kept=not outcome.ended_early, found=found
    )


def _counted(balance: Balance) -> Promise:
    missing = balance.uncounted
    found = f'{missing} of {balance.published} are neither'
    if missing < 0:
        found = f'{-missing} were counted that were not sent'
    return Promise(name='every image is a mask or counted', kept=missing == 0, found=found)


def _masks(outcome: Outcome) -> Promise:
    wrong = {name: count for name, count in outcome.wrong_masks.items() if count}
    found = ', '.join(f'{count} {name}' for name, count in wrong.items())
    masks = outcome.balance.masks
    return Promise(
        name='each mask answers one good image, in its size',
        kept=not wrong and masks > 0,
        found=found or f'{masks} masks do',
    )


def _no_failure(balance: Balance) -> Promise:
    failed = balance.counts[FAILED]
    return Promise(name='no image meets an error', kept=failed == 0, found=f'{failed} did')


def _age(ages: MaskAges) -> Promise:
    name = f'99 % of masks: at most {MOST_WAITED_FRAMES:g} frame times older than their processing'
    waited = ages.waited_step_frames_p99()
    if waited is None:
        return Promise(name=name, kept=None, found='no mask to tell by')
    return Promise(name=name, kept=waited <= MOST_WAITED_FRAMES, found=f'{waited:.2f} frame times')


def _memory(outcome: Outcome) -> Promise:
    name = f'resident memory grows by {MOST_GROWN_MB:g} MB at most'
    moved = growth(outcome.samples, lambda usage: usage.resident_mb, outcome.seconds)
    if moved is None:
        return Promise(name=name, kept=None, found='too short to tell')
    return Promise(
        name=name,
        kept=moved.grown <= MOST_GROWN_MB,
        found=f'{moved.first:.0f} to {moved.last:.0f} MB, {moved.per_minute:+.2f} MB/min',
    )


def _steady(name: str, outcome: Outcome, value: Callable[[Usage], float], limit: float) -> Promise:
    moved: Growth | None = growth(outcome.samples, value, outcome.seconds)
    if moved is None:
        return Promise(name=name, kept=None, found='too short to tell')
    return Promise(
        name=name,
        kept=moved.grown <= limit,
        found=f'{moved.first:g} at first, {moved.last:g} at last',
    )


def _ends(outcome: Outcome) -> Promise:
    name = f'SIGINT ends the node within {LONGEST_END_S:g} s, with status 0'
    end = outcome.end
    if outcome.ended_early or end.seconds is None:
        return Promise(name=name, kept=None, found='it had ended before')
    found = 'it had to be killed' if end.killed else f'{end.seconds:.1f} s, status {end.status}'
    kept = not end.killed and end.status == 0 and end.seconds <= LONGEST_END_S
    return Promise(name=name, kept=kept, found=found)


def _leaves_nothing(end: NodeEnd) -> Promise:
    return Promise(
        name='the node leaves no process and no shared memory behind',
        kept=not end.processes_left and not end.files_left,
        found=f'{end.processes_left} processes, {len(end.files_left)} files',
    )
