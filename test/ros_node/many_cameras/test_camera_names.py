"""Tests of the names of cameras."""

from __future__ import annotations

import pytest

from stseg_ros.errors import ConfigError
from stseg_ros.ros_node.many_cameras.camera_names import camera_names


@pytest.mark.parametrize(
    ('words', 'names'),
    [
        (['front', 'left'], ['front', 'left']),
        (['front,left', 'rear/up'], ['front', 'left', 'rear/up']),
        (['front,'], ['front']),
    ],
    ids=str,
)
def test_names_of_cameras(words: list[str], names: list[str]) -> None:
    assert camera_names(words) == names


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ([','], 'names no camera'),
        (['1front'], "camera '1front' is no name for a namespace"),
        (['/front'], "camera '/front' is no name"),
        (['front left'], "camera 'front left' is no name"),
        (['front', 'left,front'], 'camera front is named twice'),
    ],
    ids=str,
)
def test_wrong_names_of_cameras(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        camera_names(words)
