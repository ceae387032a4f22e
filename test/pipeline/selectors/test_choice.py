"""Tests of the selectors' names."""

from __future__ import annotations

import pytest
from support.selector_contract import GRID, WORKING_HW, blobs
from support.tiny_bundle import tiny_gain

from stseg_ros import config
from stseg_ros.bundle import Geometry
from stseg_ros.pipeline.selectors.choice import SELECTORS, make_selector

GEOMETRY = Geometry(working_hw=WORKING_HW, coarse_factor=8, grid=GRID, max_regions=32)


def test_settings_know_every_selector() -> None:
    assert (*SELECTORS, config.LEARNED) == config.SELECTORS
    assert config.DEFAULT_SELECTOR in SELECTORS


@pytest.mark.parametrize('name', config.SELECTORS)
def test_each_fits_a_bundle(name: str) -> None:
    selector = make_selector(name, GEOMETRY, tiny_gain())
    assert 1 <= len(selector.select(blobs(1), regions=2, refine_below=1.0)) <= 2
