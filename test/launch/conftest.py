"""What the launch tests need."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_bundle import write_tiny_bundle


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    """Return a bundle that opens at once."""
    return write_tiny_bundle(tmp_path / 'tiny')
