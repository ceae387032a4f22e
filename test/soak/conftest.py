"""What the tests of soaks share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope='session')
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle that takes little time."""
    return write_tiny_bundle(tmp_path_factory.mktemp('bundles') / 'tiny')
