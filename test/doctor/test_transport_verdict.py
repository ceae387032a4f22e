"""Tests of what received images say of the transport."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from stseg_ros.doctor.finding import Status
from stseg_ros.doctor.transport_verdict import (
    AS_IT_IS,
    WITH_PROFILE,
    Delivery,
    Transport,
    judge,
)

SETTING = 'FASTDDS_DEFAULT_PROFILES_FILE=/share/config/fastdds.xml'
NONE: Mapping[str, str] = {}


def transport(rmw: str = 'rmw_fastrtps_cpp', chosen: Mapping[str, str] = NONE) -> Transport:
    return Transport(rmw=rmw, profile_setting=SETTING, chosen=chosen)


def delivery(setup: str, small: int, large: int) -> Delivery:
    return Delivery(
        setup=setup,
        sent={'1280x720': 60, '1920x1080': 60},
        received={'1280x720': small, '1920x1080': large},
        carried_by='shared memory',
    )


def unmet(setup: str) -> Delivery:
    return Delivery(setup=setup, failure='heard nothing')


def test_all_images_came() -> None:
    found = judge([delivery(AS_IT_IS, 60, 60)], transport())
    assert (found.status, found.advice) == (Status.OK, '')
    assert (
        found.summary == 'as this shell is: 1280x720 60 of 60, 1920x1080 60 of 60 by shared memory'
    )


def test_large_data_must_be_everywhere() -> None:
    chosen = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}
    found = judge([delivery(AS_IT_IS, 60, 60)], transport(chosen=chosen))
    assert found.status is Status.OK
    assert 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA' in found.advice


@pytest.mark.parametrize('plain', [delivery(AS_IT_IS, 0, 0), delivery(AS_IT_IS, 60, 59)])
def test_the_profile_mends_it(plain: Delivery) -> None:
    found = judge([plain, delivery(WITH_PROFILE, 60, 60)], transport())
    assert found.status is Status.WARNING
    assert found.advice.endswith(SETTING)
    assert '60 of 60' in found.summary


@pytest.mark.parametrize(
    ('best', 'status'),
    [
        (delivery(WITH_PROFILE, 60, 54), Status.WARNING),
        (delivery(WITH_PROFILE, 60, 53), Status.ERROR),
        (delivery(WITH_PROFILE, 53, 60), Status.ERROR),
    ],
)
def test_the_profile_does_not_mend_it_all(best: Delivery, status: Status) -> None:
    found = judge([delivery(AS_IT_IS, 0, 0), best], transport())
    assert found.status is status
    assert found.advice.startswith(f'better with {SETTING}')


def test_the_users_own_choice_loses_images() -> None:
    chosen = {'FASTRTPS_DEFAULT_PROFILES_FILE': 'mine.xml'}
    found = judge([delivery(AS_IT_IS, 9, 0)], transport(chosen=chosen))
    assert found.status is Status.ERROR
    assert 'try without FASTRTPS_DEFAULT_PROFILES_FILE' in found.advice


def test_another_middleware_loses_images() -> None:
    found = judge([delivery(AS_IT_IS, 9, 0)], transport('rmw_cyclonedds_cpp'))
    assert found.status is Status.ERROR
    assert 'check kernel' in found.advice
    assert 'fastdds.xml' not in found.advice


def test_the_two_never_met() -> None:
    found = judge([unmet(AS_IT_IS), unmet(WITH_PROFILE)], transport())
    assert found.status is Status.ERROR
    assert 'ROS_DOMAIN_ID' in found.advice
    chosen = {'FASTDDS_BUILTIN_TRANSPORTS': 'NONSENSE'}
    found = judge([unmet(AS_IT_IS)], transport(chosen=chosen))
    assert found.advice == 'try without FASTDDS_BUILTIN_TRANSPORTS'


def test_the_details_fit_into_json() -> None:
    found = judge([unmet(AS_IT_IS), delivery(WITH_PROFILE, 1, 2)], transport())
    deliveries = json.loads(json.dumps(found.details))['deliveries']
    assert deliveries[1]['received'] == {'1280x720': 1, '1920x1080': 2}
