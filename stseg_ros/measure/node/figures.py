"""The figures of the node's measurement, from the recorded exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stseg_ros.errors import StsegError
from stseg_ros.measure.node.exchanges import Exchange, unpack_mask
from stseg_ros.measure.node.labelled_stream import StreamImage
from stseg_ros.measure.node.offline import OfflineMasks
from stseg_ros.measure.pixel_metrics import PixelCounts, count_pixels, dice, pool

# What the node may add to transport and pipeline, and which share of frames must keep a budget.
MOST_ADDED_MS = 3.0
LEAST_KEPT = 0.95

_MS = 1000.0
_NS_PER_S = 1e9


def overhead(rounds: Sequence[tuple[Sequence[Exchange], Sequence[Exchange]]]) -> dict[str, Any]:
    """Compare the node with an echo.

    Args:
        rounds: of each round what the echo and what the node answered, in turn.

    Returns:
        Times in ms: from just before an image is published to its mask's arrival (`echo`, `node`),
        the pipeline's own (`pipeline`, `frame_timing`'s total), and what is left: `node_adds`, the
        median of the node's without the pipeline's time, less the echo's median; over all rounds,
        and of the round with the least and with the most.

    Raises:
        StsegError: no mask came back.
    """
    echo = [one.age_ms for answers, _ in rounds for one in answers if one.answer]
    timed = _timed([one for _, answers in rounds for one in answers])
    by_round = [_added_ms(*pair) for pair in rounds]
    all_echo = [one for answers, _ in rounds for one in answers]
    return {
        'frames': {'echo': len(echo), 'node': len(timed)},
        'unanswered': {
            'echo': sum(one.answer is None for one in all_echo),
            'node': sum(one.answer is None for _, answers in rounds for one in answers),
        },
        'echo_ms': _quantiles(echo),
        'node_ms': _quantiles([one.age_ms for one in timed]),
        'pipeline_ms': _quantiles([one.timing['total_ms'] for one in timed]),
        'node_adds_ms': {
            'p50': _rounded(_added_ms(all_echo, timed)),
            'lowest_round': _rounded(min(by_round)),
            'highest_round': _rounded(max(by_round)),
        },
        'is_small': _added_ms(all_echo, timed) <= MOST_ADDED_MS,
    }


def budget_row(
    exchanges: Sequence[Exchange],
    budget_ms: float,
    stream: Sequence[StreamImage],
    offline: OfflineMasks,
) -> dict[str, Any]:
    """Say what a budget did.

    Args:
        exchanges: what the node answered.
        budget_ms: its budget; 0 is none.
        stream: the images that were published.
        offline: what they give offline.

    Returns:
        Share of masks that kept the budget, times in the node, regions refined, and for each data
        set the Dice of the masks, that of offline masks with each frame's number of regions, and
        that with their mean number for all frames.

    Raises:
        StsegError: no mask of a data set came back.
    """
    timed = _timed(exchanges)
    node_ms = np.array([one.timing['node_ms'] for one in timed])
    regions = [int(one.timing['regions']) for one in timed]
    equal = [_equals_offline(one, offline) for one in timed]
    return {
        'budget_ms': round(budget_ms, 3),
        'frames': len(exchanges),
        'masks': len(timed),
        'kept': share_within(timed, budget_ms) if budget_ms else None,
        'node_ms': _quantiles(node_ms),
        'regions_mean': round(float(np.mean(regions)), 3),
        'regions_share': {
            str(count): round(regions.count(count) / len(regions), 4)
            for count in sorted(set(regions))
        },
        'regions_changes': int(np.count_nonzero(np.diff(regions))),
        'masks_equal_to_offline': sum(equal),
        'dice': {
            source: _scores(source, timed, stream, offline)
            for source in dict.fromkeys(offline.sources)
        },
    }


def kept_row(exchanges: Sequence[Exchange], budget_ms: float) -> dict[str, Any]:
    """Say how a budget was kept, where nothing offline stands beside it.

    Args:
        exchanges: what the node answered.
        budget_ms: its budget; 0 is none.

    Returns:
        Share of masks that kept the budget, times in the node, and regions refined.

    Raises:
        StsegError: no mask came back.
    """
    timed = _timed(exchanges)
    return {
        'budget_ms': round(budget_ms, 3),
        'masks': len(timed),
        'kept': share_within(timed, budget_ms) if budget_ms else None,
        'node_ms': _quantiles([one.timing['node_ms'] for one in timed]),
        'regions_mean': round(float(np.mean([one.timing['regions'] for one in timed])), 3),
    }


def overload_row(
    exchanges: Sequence[Exchange], *, times: float, dropped: int, lost: int, cpu_s: float
) -> dict[str, Any]:
    """Say what became of images that came too fast, or not.

    Args:
        exchanges: what the node answered.
        times: intended rate, in sustainable rates.
        dropped: images that the node counted as dropped meanwhile.
        lost: images that it counted as lost on the way.
        cpu_s: processor time that it used.

    Returns:
        Rates, age of the masks from just before the image's publication, images without a mask
        and without a count, and processor time for each mask.

    Raises:
        StsegError: no mask came back.
    """
    timed = _timed(exchanges)
    ages_ms = [one.age_ms for one in timed]
    published_hz = _rate_hz([one.published_ns for one in exchanges])
    processing_ms = [one.timing['node_ms'] - one.timing['queue_ms'] for one in timed]
    return {
        'times': times,
        'images': len(exchanges),
        'published_hz': _rounded(published_hz),
        'masks': len(timed),
        'masks_hz': _rounded(masks_hz(exchanges)),
        'frames_dropped': dropped,
        'frames_lost': lost,
        'without_mask_or_count': len(exchanges) - len(timed) - dropped - lost,
        'age_ms': _quantiles(ages_ms),
        'processing_ms': _quantiles(processing_ms),
        # An image waits for the one under way and for the next; then it is processed itself.
        'age_bound_ms': _rounded(2.0 * _MS / published_hz + float(np.max(processing_ms))),
        'cpu_ms_per_mask': _rounded(cpu_s * _MS / len(timed)),
    }


def share_within(exchanges: Sequence[Exchange], limit_ms: float) -> float:
    """Return the share of the masks whose time in the node is within a limit."""
    return round(
        float(np.mean([one.timing['node_ms'] <= limit_ms for one in _timed(exchanges)])), 4
    )


def masks_hz(exchanges: Sequence[Exchange]) -> float:
    """Return how many masks arrived per second."""
    return _rate_hz([one.answer.received_ns for one in exchanges if one.answer])


def _timed(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Return those whose mask and timing came."""
    timed = [one for one in exchanges if one.answer and one.timing]
    if not timed:
        raise StsegError('no mask came back; measure on a machine that is less busy')
    return timed


def _added_ms(echo: Sequence[Exchange], node: Sequence[Exchange]) -> float:
    transport = np.median([one.age_ms for one in echo if one.answer])
    rest = [one.age_ms - one.timing['total_ms'] for one in node if one.answer and one.timing]
    return float(np.median(rest) - transport)


def _scores(
    source: str,
    timed: Sequence[Exchange],
    stream: Sequence[StreamImage],
    offline: OfflineMasks,
) -> dict[str, float]:
    """Score the masks of one data set, and the offline ones that stand beside them."""
    live: list[PixelCounts] = []
    beside: list[PixelCounts] = []
    given: list[int] = []
    for one in timed:
        number = one.image % len(stream)
        if stream[number].source != source or one.answer is None:
            continue
        given.append(int(one.timing['regions']))
        live.append(count_pixels(unpack_mask(one.answer), stream[number].vehicle_hw))
        beside.append(offline.counts[number][given[-1]])
    if not given:
        raise StsegError(f'no mask of {source} came back; measure on a machine that is less busy')
    return {
        'live': round(dice(pool(live)), 4),
        'offline_same_regions': round(dice(pool(beside)), 4),
        'offline_mean_regions': round(offline.dice_at_mean(source, float(np.mean(given))), 4),
    }


def _equals_offline(one: Exchange, offline: OfflineMasks) -> bool:
    assert one.answer is not None
    masks = offline.masks[one.image % len(offline.masks)]
    return np.array_equal(one.answer.mask_bits, masks[int(one.timing['regions'])])


def _quantiles(values: Sequence[float] | np.ndarray[Any, Any]) -> dict[str, float]:
    p50, p95, p99, largest = np.percentile(values, (50, 95, 99, 100)).tolist()
    return {
        'p50': _rounded(p50),
        'p95': _rounded(p95),
        'p99': _rounded(p99),
        'max': _rounded(largest),
    }


def _rate_hz(times_ns: Sequence[int]) -> float:
    return (len(times_ns) - 1) * _NS_PER_S / (max(times_ns) - min(times_ns))


def _rounded(value: float) -> float:
    return round(float(value), 3)
