"""Tests of more images than can be served, on a real node whose networks take their time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from support.ros_segmenter import (
    Client,
    SegmenterProcess,
    free_domain_id,
    plain_image,
    running_script,
    values,
)
from support.scripted_segmenter import WAIT

pytestmark = pytest.mark.ros

COARSE_S = 0.02
COUNTS = ('masks_published', 'frames_dropped', 'frames_bad', 'frames_failed')
LARGE_HW = (240, 400)


@pytest.fixture(scope='module')
def node(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path
) -> Iterator[tuple[SegmenterProcess, Client]]:
    folder = tmp_path_factory.mktemp('node')
    with running_script(
        folder,
        free_domain_id(21),
        environment={'SCRIPTED_COARSE_S': str(COARSE_S)},
        bundle=tiny_bundle,
    ) as (process, client):
        client.meet()
        yield process, client


def counts(client: Client) -> dict[str, int]:
    """Wait until every image that came is accounted for, and return the counts."""

    def settled(_: object, pairs: dict[str, str]) -> bool:
        return int(pairs['frames_received']) == sum(int(pairs[key]) for key in COUNTS)

    pairs = client.wait_for_status(settled, 'counts that add up')
    return {key: int(pairs[key]) for key in ('frames_received', 'frames_lost', *COUNTS)}


def flood(client: Client, *, images: int, rate_hz: float) -> list[int]:
    """Publish at a steady rate and return the stamps."""
    message, stamps_ns = plain_image(0, LARGE_HW), []
    start_s = time.monotonic()
    for number in range(images):
        while (left_s := start_s + number / rate_hz - time.monotonic()) > 0:
            client.executor.spin_once(timeout_sec=left_s)
        stamps_ns.append(client.publish(message))
    return stamps_ns


def resident_mb(process: SegmenterProcess) -> float:
    status = Path(f'/proc/{process.process.pid}/status').read_text()
    found = re.search(r'VmRSS:\s+(\d+) kB', status)
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.parametrize('times', [2, 4])
def test_the_newest_image_wins_and_the_others_are_counted(
    node: tuple[SegmenterProcess, Client], times: int
) -> None:
    process, client = node
    rate_hz = times / COARSE_S
    flood(client, images=100, rate_hz=rate_hz)
    before, before_mb = counts(client), resident_mb(process)

    stamps_ns = flood(client, images=300, rate_hz=rate_hz)
    client.wait_until(lambda: stamps_ns[-1] in client.masks, 'the newest mask')
    after = {key: count - before[key] for key, count in counts(client).items()}
    masks = [stamp_ns for stamp_ns in client.masks if stamp_ns in set(stamps_ns)]
    assert masks == sorted(masks)
    assert len(masks) == after['masks_published']
    # Every image is a mask or counted: dropped by the node, or by its subscription before.
    assert after['frames_received'] + after['frames_lost'] == len(stamps_ns)
    # The networks alone allow no more than this.
    assert after['frames_dropped'] > 0
    assert (after['frames_bad'], after['frames_failed']) == (0, 0)
    # A queue of all these images would hold 80 MB.
    assert resident_mb(process) - before_mb < 20

    client.wait_until(lambda: all(stamp_ns in client.timings for stamp_ns in masks), 'timings')
    timings = [values(client.timings[stamp_ns].status[0]) for stamp_ns in masks]
    processing_ms = [float(it['node_ms']) - float(it['queue_ms']) for it in timings]
    oldest_ms = max(float(it['node_ms']) for it in timings)
    # An image waits while the one before is processed, and is processed itself. A queue would
    # make the last one wait for all: 300 images, half of them or more.
    assert oldest_ms < 4 * max(processing_ms)


def test_an_image_that_is_dropped_is_not_even_decoded(
    node: tuple[SegmenterProcess, Client], tmp_path_factory: pytest.TempPathFactory
) -> None:
    process, client = node
    gate = process.log.with_name('gate')
    before = counts(client)
    held_ns = client.publish(plain_image(WAIT))
    client.wait_until(gate.with_suffix('.reached').exists, 'the image at the gate')
    bad = plain_image(0)
    bad.encoding = 'nonsense'
    sent = 1

    def some_dropped(_: object, pairs: dict[str, str]) -> bool:
        # Of a burst the subscription itself would keep the last one only.
        nonlocal sent
        client.publish(bad)
        sent += 1
        return int(pairs['frames_dropped']) > before['frames_dropped'] + 2

    client.wait_for_status(some_dropped, 'images that are dropped')
    newest_ns = client.publish(plain_image(0))
    before_all = before['frames_received'] + before['frames_lost']
    client.wait_for_status(
        lambda _, pairs: (
            int(pairs['frames_received']) + int(pairs['frames_lost']) == before_all + sent + 1
        ),
        'the newest image',
    )
    gate.touch()
    client.wait_until(lambda: {held_ns, newest_ns} <= set(client.masks), 'both masks')
    after = {key: count - before[key] for key, count in counts(client).items()}
    assert (after['masks_published'], after['frames_bad']) == (2, 0)
    assert after['frames_dropped'] == after['frames_received'] - 2 > 0
    gate.unlink()


def test_overload_is_told(node: tuple[SegmenterProcess, Client]) -> None:
    process, client = node
    seen = len(client.statuses)

    def told() -> bool:
        flood(client, images=30, rate_hz=4 / COARSE_S)
        return any(
            status.level == status.WARN and 'are segmented, always the newest' in status.message
            for status in client.statuses[seen:]
        )

    client.wait_until(told, 'a warning')
    pairs = values(client.statuses[-1])
    assert pairs['overload'].startswith('images come ')
    process.wait_for_log('times a second and')
