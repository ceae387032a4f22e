"""What every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session', autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is cached between runs, such as rendered scenes, inside this one."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='session', autouse=True)
def _large_image_transport() -> None:
    """Have Fast DDS use our profile, which it reads when a process first joins a domain."""
    if find_spec('rclpy') is not None:
        from stseg_ros.ros_node.transport import use_large_image_transport

        use_large_image_transport()


@pytest.fixture(scope='session')
def data_root() -> Path:
    """Return the folder of real images, or skip where there is none."""
    folder = os.environ.get('STSEG_DATA')
    if not folder:
        pytest.skip('STSEG_DATA names no folder of real images')
    assert Path(folder).is_dir(), f'STSEG_DATA={folder} is no folder'
    return Path(folder)
