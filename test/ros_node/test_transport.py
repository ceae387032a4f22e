"""Tests that large images get their shared memory, and that the user's choice wins."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from stseg_ros.ros_node import transport
from stseg_ros.ros_node.transport import large_image_environment

PROFILE = Path(__file__).parents[2] / 'config' / 'fastdds.xml'


@pytest.mark.parametrize(
    ('version', 'variable'),
    [
        ('3.3.16', 'FASTRTPS_DEFAULT_PROFILES_FILE'),  # Humble
        ('7.1.6', 'FASTRTPS_DEFAULT_PROFILES_FILE'),  # Jazzy
        ('9.1.2', 'FASTDDS_DEFAULT_PROFILES_FILE'),  # Kilted
        ('10.0.1', 'FASTDDS_DEFAULT_PROFILES_FILE'),
    ],
)
def test_the_profile_goes_to_the_variable_of_the_distribution(
    monkeypatch: pytest.MonkeyPatch, version: str, variable: str
) -> None:
    monkeypatch.setattr(transport.metadata, 'version', lambda _: version)
    assert large_image_environment({'HOME': '/'}) == {variable: str(PROFILE)}


@pytest.mark.parametrize(
    'name',
    [
        'FASTDDS_DEFAULT_PROFILES_FILE',
        'FASTRTPS_DEFAULT_PROFILES_FILE',
        'FASTDDS_BUILTIN_TRANSPORTS',
    ],
)
def test_the_users_choice_wins(name: str) -> None:
    assert large_image_environment({name: 'x'}) == {}


def test_the_profile_fits_its_purpose() -> None:
    space = '{http://www.eprosima.com}'
    root = ElementTree.parse(PROFILE).getroot()
    shared = next(
        entry
        for entry in root.iter(f'{space}transport_descriptor')
        if entry.findtext(f'{space}type') == 'SHM'
    )
    segment = int(shared.findtext(f'{space}segment_size') or 0)
    message = int(shared.findtext(f'{space}maxMessageSize') or 0)
    # A raw image of 1920x1080 in one piece; three processes in the 64 MB of a Docker container.
    assert 1920 * 1080 * 3 < message <= segment
    assert 3 * segment < 0.9 * 64 * 2**20
    used = {entry.text for entry in root.iter(f'{space}transport_id')}
    assert used == {'large_shared_memory', 'network'}
    (participant,) = root.iter(f'{space}participant')
    assert participant.get('is_default_profile') == 'true'
