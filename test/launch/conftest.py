"""What the launch tests need."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from support.ros_launch import CHECKOUT
from support.tiny_bundle import write_tiny_bundle


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    """Return a bundle that opens at once."""
    return write_tiny_bundle(tmp_path / 'tiny')


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Lay out what `colcon build` installs."""
    share = tmp_path / 'share'
    for name in ('launch', 'config'):
        shutil.copytree(CHECKOUT / name, share / 'stseg_ros' / name)
    index = share / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'stseg_ros').touch()
    for name in ('segmenter_node', 'multi_segmenter_node'):
        executable = tmp_path / 'lib' / 'stseg_ros' / name
        executable.parent.mkdir(parents=True, exist_ok=True)
        executable.write_text(
            f'#!{sys.executable}\nfrom stseg_ros.ros_node.{name} import main\nmain()\n'
        )
        executable.chmod(0o755)
    return tmp_path


@pytest.fixture
def environment(prefix: Path, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a shell that has sourced it."""
    paths = {
        'AMENT_PREFIX_PATH': prefix,
        'PYTHONPATH': CHECKOUT,
        # `ros2 bag` is played by our own player, which has the same arguments.
        'PATH': tmp_path / 'bin',
    }
    joined = {
        name: os.pathsep.join([str(path), *filter(None, [os.environ.get(name)])])
        for name, path in paths.items()
    }
    return {
        **os.environ,
        **joined,
        'ROS_LOG_DIR': str(tmp_path / 'log'),
        'ROS_DOMAIN_ID': str(10 + os.getpid() % 90),
    }
