"""A soak's report: everything for JSON, and the lines that people look for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stseg_ros.soak.ledger import EXCUSES, Balance
from stseg_ros.soak.mask_ages import LEGS, PERCENTILES, MaskAges
from stseg_ros.soak.percentiles import Percentiles
from stseg_ros.soak.process_usage import Usage
from stseg_ros.soak.promises import Outcome, Promise
from stseg_ros.soak.series import Sample, growth, settling_s

SCHEMA = 1
_DIGITS = 3
_LEG_NAMES = {
    'to_node': 'camera to node',
    'taking': 'taking it from the middleware',
    'waiting': 'waiting in the node',
    'processing': 'processing',
    'to_listener': 'node to listener',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a soak did, beside what came of it.

    Attributes:
        settings: how it was asked for, and on what it ran; plain values.
        rate_hz: images per second of the schedule.
        sustained_hz: masks per second that were measured first; None where the rate was given.
        steps: how many steps of the schedule were begun.
        publisher_restarts: how often the camera opened its publisher anew.
        process_restarts: how often the camera started anew.
        interrupted: whether it was ended early.
        faults: spoiled images by what was done to them.
        processing_ms: how long the node worked on each image.
    """

    settings: Mapping[str, Any]
    rate_hz: float
    sustained_hz: float | None
    steps: int
    publisher_restarts: int
    process_restarts: int
    interrupted: bool
    faults: Mapping[str, int]
    processing_ms: Percentiles


def make_document(story: Story, outcome: Outcome, promises: Sequence[Promise]) -> dict[str, Any]:
    """Put everything together for JSON.

    Args:
        story: what the soak did.
        outcome: what came of it.
        promises: what `judge` says of it.

    Returns:
        Plain values.
    """
    balance, samples = outcome.balance, outcome.samples
    return {
        'schema': SCHEMA,
        'settings': dict(story.settings),
        'seconds': round(outcome.seconds, _DIGITS),
        'settling_s': round(settling_s(outcome.seconds), _DIGITS),
        'interrupted': story.interrupted,
        'rate_hz': round(story.rate_hz, _DIGITS),
        'sustained_hz': _rounded(story.sustained_hz),
        'steps': story.steps,
        'publisher_restarts': story.publisher_restarts,
        'camera_process_restarts': story.process_restarts,
        'node_ended_early': outcome.ended_early,
        'frames': _frames(balance),
        'faults_sent': dict(story.faults),
        'wrong_masks': dict(outcome.wrong_masks),
        'age_ms': _percentiles(outcome.ages.age_ms),
        'legs_ms': {leg: _percentiles(outcome.ages.legs_ms[leg]) for leg in LEGS},
        'processing_ms': _percentiles(story.processing_ms),
        'waited_frames_p99': _rounded(outcome.ages.waited_frames_p99()),
        'waited_step_frames_p99': _rounded(outcome.ages.waited_step_frames_p99()),
        'resident_mb': _growth(samples, lambda it: it.resident_mb, outcome.seconds),
        'anonymous_mb': _growth(samples, lambda it: it.anonymous_mb, outcome.seconds),
        'descriptors': _growth(samples, lambda it: it.descriptors, outcome.seconds),
        'threads': _growth(samples, lambda it: it.threads, outcome.seconds),
        'page_faults_per_s': _faults_per_s(samples),
        'cores_mean': _rounded(_mean([it.cores for it in samples if it.at_s > 0.0])),
        'end': asdict(outcome.end),
        'promises': [asdict(promise) for promise in promises],
        'series': _series(samples),
        'age_series': list(_age_series(outcome.ages)),
    }


def summary_rows(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Choose and word the figures that people look for.

    Args:
        document: from `make_document`.

    Returns:
        Names and values.
    """
    frames, age, processing = document['frames'], document['age_ms'], document['processing_ms']
    # Records of earlier versions have no stretches.
    legs = document.get('legs_ms', {})
    rate = f'{document["rate_hz"]:.1f} images/s'
    if document['sustained_hz'] is not None:
        rate += f', the node sustains {document["sustained_hz"]:.1f}'
    restarts = (
        f'{document["publisher_restarts"]} as publisher, '
        f'{document["camera_process_restarts"]} as process'
    )
    counted = (
        f'{frames["dropped"]} dropped, {frames["bad"]} bad, {frames["failed"]} failed, '
        f'{frames["lost"]} lost on the way'
    )
    return [
        ('length', f'{document["seconds"]:.0f} s, {document["steps"]} steps, {rate}'),
        ('camera restarts', restarts),
        ('images sent', f'{frames["published"]}, {sum(document["faults_sent"].values())} spoiled'),
        ('masks received', f'{frames["masks_received"]}'),
        ('counted by the node', counted),
        ('neither mask nor counted', f'{frames["uncounted"]}'),
        ('age of masks', _worded(age)),
        *((f'- {_LEG_NAMES[leg]}', _worded(found)) for leg, found in legs.items()),
        ('processing, all images', _worded(processing)),
        ('waited, 99 % of masks', _worded_waiting(document)),
        ('resident memory', _worded_growth(document['resident_mb'], 'MB')),
        ('file descriptors', _worded_growth(document['descriptors'], '')),
        ('threads', _worded_growth(document['threads'], '')),
        ('page faults of the node', _or_nothing(document.get('page_faults_per_s'), '{:.0f}/s')),
        ('processors kept busy', _or_nothing(document['cores_mean'], '{:.2f}')),
    ]


def _frames(balance: Balance) -> dict[str, int]:
    counts = {name.removeprefix('frames_'): balance.counts[name] for name in EXCUSES}
    return {
        'published': balance.published,
        'received': balance.counts['frames_received'],
        'masks_published': balance.counts['masks_published'],
        'masks_received': balance.masks,
        **counts,
        'uncounted': balance.uncounted,
    }


def _worded_waiting(document: Mapping[str, Any]) -> str:
    until_next = _or_nothing(document['waited_frames_p99'], '{:.2f}')
    of_step = _or_nothing(document.get('waited_step_frames_p99'), '{:.2f}')
    return f"{until_next} times until the next image, {of_step} in the step's frame times"


def _series(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Turn the samples into columns."""
    return {
        'at_s': [_round(it.at_s) for it in samples],
        'resident_mb': [_round(it.usage.resident_mb) for it in samples],
        'anonymous_mb': [_round(it.usage.anonymous_mb) for it in samples],
        'descriptors': [it.usage.descriptors for it in samples],
        'threads': [it.usage.threads for it in samples],
        'cores': [_round(it.cores) for it in samples],
        **{
            name: [_frames(it.balance)[name] for it in samples]
            for name in ('published', 'masks_received', 'dropped', 'bad', 'failed', 'lost')
        },
    }


def _age_series(ages: MaskAges) -> Iterator[dict[str, float]]:
    """Turn the ages of each ten seconds into rows."""
    for at_s, found in ages.windows():
        yield {'at_s': at_s, **_named(found)}


def _percentiles(values: Percentiles) -> dict[str, float] | None:
    return _named(values.at(PERCENTILES)) if len(values) else None


def _named(found: Sequence[float]) -> dict[str, float]:
    return {f'p{share}': _round(value) for share, value in zip(PERCENTILES, found, strict=True)}


def _growth(
    samples: Sequence[Sample], value: Callable[[Usage], float], seconds: float
) -> dict[str, float] | None:
    moved = growth(samples, value, seconds)
    if moved is None:
        return None
    values = {name: _round(number) for name, number in asdict(moved).items()}
    return {**values, 'grown': _round(moved.grown)}


def _faults_per_s(samples: Sequence[Sample]) -> float | None:
    timed = [it for it in samples if it.at_s >= 0.0]
    if len(timed) < 2:
        return None
    faults = timed[-1].usage.faults - timed[0].usage.faults
    return _round(faults / (timed[-1].at_s - timed[0].at_s))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _round(value: float) -> float:
    return round(value, _DIGITS)


def _rounded(value: float | None) -> float | None:
    return None if value is None else _round(value)


def _worded(percentiles: Mapping[str, float] | None) -> str:
    if percentiles is None:
        return 'no mask came'
    return ', '.join(f'{name} {value:.1f} ms' for name, value in percentiles.items())


def _worded_growth(moved: Mapping[str, float] | None, unit: str) -> str:
    if moved is None:
        return 'too short to tell'
    unit = f' {unit}' if unit else ''
    return (
        f'{moved["first"]:.0f} to {moved["last"]:.0f}{unit}, peaks {moved["peak_before"]:.0f} to '
        f'{moved["peak_after"]:.0f}{unit}, {moved["per_minute"]:+.2f}{unit}/min'
    )


def _or_nothing(value: float | None, form: str) -> str:
    return 'not measured' if value is None else form.format(value)
