"""Tests of the latency budget on a real node whose networks take a known time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from support.ros_segmenter import (
    Client,
    free_domain_id,
    plain_image,
    running_script,
    stamp_ns_of,
    values,
)

pytestmark = pytest.mark.ros

REGION_S = 0.02
ASKED = 6
LONG_MS = 60_000.0


@pytest.fixture(scope='module')
def client(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Client]:
    with running_script(
        tmp_path_factory.mktemp('node'),
        free_domain_id(25),
        environment={'SCRIPTED_REGION_S': str(REGION_S)},
        bundle=tiny_bundle,
        regions=ASKED,
        latency_budget_ms=LONG_MS,
    ) as (process, client):
        process.wait_for_log('segmenting /')
        client.meet()
        yield client


def timing_of_next(client: Client) -> dict[str, str]:
    stamp_ns = stamp_ns_of(client.segment(plain_image(0)))
    client.wait_until(lambda: stamp_ns in client.timings, 'its timing')
    return values(client.timings[stamp_ns].status[0])


def set_budget(client: Client, budget_ms: float) -> None:
    assert client.set_parameters(latency_budget_ms=budget_ms).successful


def test_a_long_budget_takes_nothing_away(client: Client) -> None:
    set_budget(client, LONG_MS)
    pairs = timing_of_next(client)
    assert (pairs['regions_asked'], pairs['regions_given'], pairs['regions']) == ('6', '6', '6')
    assert pairs['budget_ms'] == f'{LONG_MS:.3f}'


def test_a_budget_that_cannot_be_kept_leaves_the_coarse_result_and_is_told(
    client: Client,
) -> None:
    set_budget(client, 0.01)
    given = [timing_of_next(client)['regions_given'] for _ in range(10)]
    # The very first frame need not know yet what comes after the networks.
    assert set(given[1:]) == {'0'}
    seen = len(client.statuses)

    def told() -> bool:
        timing_of_next(client)
        return any(
            'came later than latency_budget_ms' in it.message for it in client.statuses[seen:]
        )

    client.wait_until(told, 'a warning')
    pairs = client.wait_for_status(lambda _, pairs: pairs['masks_late'] != '0', 'the counts')
    assert int(pairs['masks_cut']) >= 9
    assert pairs['is_processing_time_ms_in_expected_range'] == 'False'


def test_as_many_regions_as_fit(client: Client) -> None:
    # With five regions the network alone takes 100 ms.
    set_budget(client, 5 * REGION_S * 1000)
    given = [int(timing_of_next(client)['regions_given']) for _ in range(15)]
    assert 1 <= max(given[1:]) < 5
    set_budget(client, LONG_MS)
    # All regions come back, once the latest frames are judged by the new budget.
    client.wait_until(lambda: timing_of_next(client)['regions_given'] == '6', 'all regions')


def test_without_a_budget_nothing_is_taken_away(client: Client) -> None:
    set_budget(client, 0.01)
    timing_of_next(client)
    set_budget(client, 0.0)
    pairs = timing_of_next(client)
    assert (pairs['budget_ms'], pairs['regions_given'], pairs['regions']) == ('0.000', '6', '6')
    # More regions than were prepared with the budget.
    assert client.set_parameters(regions=8, latency_budget_ms=LONG_MS).successful
    client.wait_until(lambda: timing_of_next(client)['regions_given'] == '8', 'more regions')
    assert client.set_parameters(regions=ASKED).successful


@pytest.mark.parametrize('wrong', [-1.0, 1e9])
def test_a_wrong_budget_is_refused(client: Client, wrong: float) -> None:
    result = client.set_parameters(latency_budget_ms=wrong)
    assert not result.successful
    assert 'latency_budget_ms' in result.reason
