"""Tests that large images get their shared memory, and that the user's choice wins."""

from __future__ import annotations

import fcntl
import os
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from stseg_ros.ros_node import transport
from stseg_ros.ros_node.transport import large_image_environment, remove_dead_shared_memory

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


def killed_process(folder: Path, name: str, *, age_s: float = 60.0) -> Path:
    """Leave what a killed process of Fast DDS leaves, and return the lock."""
    (folder / name).write_bytes(bytes(100))
    lock = folder / f'{name}_el'
    lock.touch()
    changed_s = time.time() - age_s
    os.utime(lock, (changed_s, changed_s))
    return lock


def test_memory_of_killed_processes_is_removed(tmp_path: Path) -> None:
    for name in ('fastdds_0123456789abcdef', 'fastrtps_fedcba9876543210'):
        killed_process(tmp_path, name)
    assert remove_dead_shared_memory(tmp_path) == [
        'fastdds_0123456789abcdef',
        'fastrtps_fedcba9876543210',
    ]
    assert list(tmp_path.iterdir()) == []


def test_memory_in_use_or_not_of_fast_dds_stays(tmp_path: Path) -> None:
    alive = killed_process(tmp_path, 'fastdds_0123456789abcdef')
    killed_process(tmp_path, 'fastdds_1123456789abcdef', age_s=0.0)
    killed_process(tmp_path, 'fastdds_port7410')
    killed_process(tmp_path, 'fastfood_0123456789abcdef')
    before = sorted(tmp_path.iterdir())
    with alive.open('rb') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert remove_dead_shared_memory(tmp_path) == []
    assert sorted(tmp_path.iterdir()) == before


def test_memory_of_other_users_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = killed_process(tmp_path, 'fastdds_0123456789abcdef')
    monkeypatch.setattr(transport.os, 'geteuid', lambda: lock.stat().st_uid + 1)
    assert remove_dead_shared_memory(tmp_path) == []
    assert lock.exists()


def test_what_cannot_be_removed_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('fastdds_0123456789abcdef', 'fastdds_1123456789abcdef'):
        killed_process(tmp_path, name)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == 'fastdds_0123456789abcdef':
            raise PermissionError(1, 'Operation not permitted', str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, 'unlink', refuse)
    assert remove_dead_shared_memory(tmp_path) == ['fastdds_1123456789abcdef']


def test_a_machine_without_shared_memory(tmp_path: Path) -> None:
    assert remove_dead_shared_memory(tmp_path / 'missing') == []
