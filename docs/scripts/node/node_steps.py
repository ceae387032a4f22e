"""The parts of measure_node.py: what the node adds, its latency budget, and overload."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from node_collector import ECHO, NODE
from node_processes import burning
from node_rig import Rig
from tqdm import tqdm

from stseg_ros.measure.node.exchanges import Exchange
from stseg_ros.measure.node.figures import (
    budget_row,
    kept_row,
    masks_hz,
    overhead,
    overload_row,
    share_within,
)
from stseg_ros.measure.node.labelled_stream import StreamImage
from stseg_ros.measure.node.offline import OfflineMasks
from stseg_ros.pipeline.latency_budget import WINDOW

# What cannot be kept leaves the coarse result only.
COARSE_ONLY_MS = 0.01
# So many times as fast as images can be served one by one.
_FLOOD = 3.0
_RATES = (0.5, 2.0, 4.0)
_FEWEST_IMAGES = 20
# Of the usual rate, and of the node's own: for frames with many regions.
_SLOWER, _UNHURRIED = 0.25, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything.

    Attributes:
        scenes: synthetic scenes, and as many images of CamVid.
        rounds: turns of echo and node.
        round_frames: images of a turn.
        settle_frames: images before a budget is judged; what it has learned of the one before is
            then forgotten.
        passes: how often the stream is shown to each budget of the curve.
        half_passes: how often to half of the full time.
        shares: budgets of the curve, in full times of the same load.
        flood_s: seconds of each rate of images.
        rate_hz: images per second of everything else.
    """

    scenes: int = 24
    rounds: int = 6
    round_frames: int = 75
    settle_frames: int = WINDOW
    passes: int = 2
    half_passes: int = 5
    shares: tuple[float, ...] = (0.6, 0.7, 0.8, 0.95, 1.1)
    flood_s: float = 8.0
    rate_hz: float = 15.0


QUICK = Plan(
    scenes=3,
    rounds=2,
    round_frames=10,
    settle_frames=10,
    passes=2,
    half_passes=3,
    shares=(0.7,),
    flood_s=1.0,
    # Even a busy machine answers most of them.
    rate_hz=5.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured, and what with.

    Attributes:
        rig: the running processes.
        stream: the images.
        offline: what they give offline.
        plan: how much of everything.
        max_regions: the most regions that the bundle allows, of which it may recommend fewer.
        progress: advanced with every image.
    """

    rig: Rig
    stream: list[StreamImage]
    offline: OfflineMasks
    plan: Plan
    max_regions: int
    progress: tqdm[Any]


def count_images(plan: Plan, length: int, *, has_more: bool) -> int:
    """Return how many images echo, node and budgets get.

    Args:
        plan: how much of everything.
        length: images of the stream.
        has_more: whether the bundle allows more regions than it recommends.
    """
    # With and without a load; the load has its own half, and that of the idle machine.
    shown, halves = 2 * (len(plan.shares) + 2), 3
    settling = (shown + halves) * plan.settle_frames
    budgets = (shown * plan.passes + halves * plan.half_passes) * length
    more = 2 * (plan.settle_frames + (1 + plan.passes) * length) if has_more else 0
    return 2 * plan.rounds * plan.round_frames + settling + budgets + more


def measure_overhead(subject: Subject) -> dict[str, Any]:
    """Let echo and node take turns."""
    plan, rounds = subject.plan, []
    faults = dict.fromkeys((ECHO, NODE), 0)
    subject.rig.collector.set_parameters(latency_budget_ms=0.0)
    for number in range(plan.rounds):
        turns = []
        for place in (ECHO, NODE):
            subject.progress.set_description(f'{place[1:]}, turn {number + 1}')
            before = subject.rig.page_faults(place)
            found = subject.rig.exchange(place, rate_hz=plan.rate_hz, count=plan.round_frames)
            faults[place] += subject.rig.page_faults(place) - before
            turns.append(found)
            subject.progress.update(len(found))
        rounds.append((turns[0], turns[1]))
    images = plan.rounds * plan.round_frames
    return {
        'rate_hz': plan.rate_hz,
        'rounds': plan.rounds,
        **overhead(rounds),
        'page_faults_per_image': {
            name: round(faults[place] / images, 1)
            for name, place in (('echo', ECHO), ('node', NODE))
        },
    }


def measure_budget(subject: Subject) -> dict[str, Any]:
    """Measure the full time, half of it as a budget, and budgets between, idle and loaded."""
    cores = len(os.sched_getaffinity(0))
    found: dict[str, Any] = {
        'most_regions': subject.offline.most_regions,
        'competing_processes': {'idle': 0, 'loaded': cores},
        'full_ms': {},
    }
    for load, processes in found['competing_processes'].items():
        with burning(processes):
            found[load] = _measure_load(subject, load, found)
    return found


def _measure_load(subject: Subject, load: str, found: dict[str, Any]) -> dict[str, Any]:
    plan = subject.plan
    unlimited, _ = _one_budget(subject, load, 0.0, plan.passes)
    full_ms = unlimited['node_ms']['p50']
    found['full_ms'][load] = full_ms
    # Half of the time under the same load, and half of what it is with nothing beside it.
    halves_ms = {'half': full_ms / 2.0, 'half_of_idle': found['full_ms']['idle'] / 2.0}
    if load == 'idle':
        del halves_ms['half_of_idle']
    coarse, exchanges = _one_budget(subject, load, COARSE_ONLY_MS, plan.passes)
    curve: dict[str, Any] = {}
    for name, half_ms in halves_ms.items():
        curve[name], _ = _one_budget(subject, load, half_ms, plan.half_passes)
        # No choice of regions keeps more.
        curve[name]['kept_by_coarse_only'] = share_within(exchanges, half_ms)
    rows = [_one_budget(subject, load, share * full_ms, plan.passes)[0] for share in plan.shares]
    found_most = {}
    if subject.max_regions > subject.offline.most_regions:
        found_most['most'] = _measure_most(subject, load, exchanges)
    return {**curve, 'rows': [coarse, *rows, unlimited], **found_most}


def _measure_most(subject: Subject, load: str, coarse: list[Exchange]) -> dict[str, Any]:
    """Measure half of the full time with as many regions as the bundle allows.

    What a frame takes without any region weighs less there.
    """
    rig, plan, length = subject.rig, subject.plan, len(subject.stream)
    most = subject.max_regions
    subject.progress.set_description(f'{load}, {most} regions')
    rig.collector.set_parameters(latency_budget_ms=0.0, regions=most)
    rig.wait_for_mask(NODE)
    full = kept_row(rig.exchange(NODE, rate_hz=plan.rate_hz * _SLOWER, count=length), 0.0)
    full_ms = full['node_ms']['p50']
    rig.collector.set_parameters(latency_budget_ms=full_ms / 2.0)
    rig.wait_for_mask(NODE)
    # No frame waits for the one before, as with fewer regions.
    rate_hz = min(plan.rate_hz, _UNHURRIED * 1000.0 / full_ms)
    rig.exchange(NODE, rate_hz=rate_hz, count=plan.settle_frames)
    half = kept_row(rig.exchange(NODE, rate_hz=rate_hz, count=plan.passes * length), full_ms / 2.0)
    subject.progress.update(plan.settle_frames + (1 + plan.passes) * length)
    rig.collector.set_parameters(latency_budget_ms=0.0, regions=subject.offline.most_regions)
    half['kept_by_coarse_only'] = share_within(coarse, full_ms / 2.0)
    return {'regions': most, 'full': full, 'half': half}


def _one_budget(
    subject: Subject, load: str, budget_ms: float, passes: int
) -> tuple[dict[str, Any], list[Exchange]]:
    """Show the stream to the node under one budget."""
    named = f'{budget_ms:.1f} ms' if budget_ms else 'no budget'
    subject.progress.set_description(f'{load}, {named}')
    rig, plan, length = subject.rig, subject.plan, len(subject.stream)
    rig.collector.set_parameters(latency_budget_ms=budget_ms)
    # The first image after that may wait until every number of regions has been prepared.
    rig.wait_for_mask(NODE)
    rig.exchange(NODE, rate_hz=plan.rate_hz, count=plan.settle_frames)
    exchanges = rig.exchange(NODE, rate_hz=plan.rate_hz, count=passes * length)
    subject.progress.update(plan.settle_frames + len(exchanges))
    return budget_row(exchanges, budget_ms, subject.stream, subject.offline), exchanges


def measure_overload(subject: Subject, full_ms: float) -> dict[str, Any]:
    """Find the sustainable rate, and publish at less and more."""
    rig, flood_s = subject.rig, subject.plan.flood_s
    subject.progress.set_description('sustainable rate')
    rig.collector.set_parameters(latency_budget_ms=0.0)
    rate_hz = _FLOOD * 1000.0 / full_ms
    sustained_hz = masks_hz(
        rig.exchange(
            NODE, rate_hz=rate_hz, count=max(_FEWEST_IMAGES, round(rate_hz * flood_s / 2))
        )
    )
    rows, before = [], rig.counts()
    for times in _RATES:
        subject.progress.set_description(f'{times:g} times the sustainable rate')
        count = max(_FEWEST_IMAGES, round(times * sustained_hz * flood_s))
        cpu_before_s = rig.node_cpu_s()
        exchanges = rig.exchange(NODE, rate_hz=times * sustained_hz, count=count)
        cpu_s = rig.node_cpu_s() - cpu_before_s
        after = rig.counts()
        dropped, lost = (
            int(after[key]) - int(before[key]) for key in ('frames_dropped', 'frames_lost')
        )
        before = after
        rows.append(overload_row(exchanges, times=times, dropped=dropped, lost=lost, cpu_s=cpu_s))
    return {'sustained_hz': round(sustained_hz, 2), 'rows': rows}
