"""What the tests of the ROS side share."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from support.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope='session', autouse=True)
def _large_image_transport() -> None:
    """Have Fast DDS use our profile, which it reads when a process first joins a domain."""
    if find_spec('rclpy') is not None:
        from stseg_ros.ros_node.transport import use_large_image_transport

        use_large_image_transport()


@pytest.fixture(scope='session')
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle whose mask is where an image is redder than green."""
    return write_tiny_bundle(tmp_path_factory.mktemp('bundles') / 'tiny')
