from __future__ import annotations

import pytest

from stseg_ros.bundle import Geometry
from stseg_ros.config import SegmenterSettings
from stseg_ros.measure.candidates import default_regions, list_candidates


@pytest.mark.parametrize(
    ('grid', 'max_regions', 'expected'),
    [
        ((4, 8), 32, [2, 4, 8, 16, 32]),
        ((3, 5), 15, [2, 4, 8, 15]),
        ((2, 2), 4, [2, 4]),
        ((8, 8), 20, [2, 4, 8, 16, 20]),
        ((1, 1), 1, [1]),
        ((1, 2), 2, [2]),
    ],
)
def test_default_regions_end_with_all(
    grid: tuple[int, int], max_regions: int, expected: list[int]
) -> None:
    rows, columns = grid
    geometry = Geometry(
        working_hw=(64 * rows, 64 * columns), coarse_factor=8, grid=grid, max_regions=max_regions
    )
    assert default_regions(geometry) == expected


def test_modes_share_threshold_and_fusion() -> None:
    settings = SegmenterSettings(regions=9, threshold=0.4, fusion='add')
    listed = list_candidates(settings, [2, 4], whole=True)
    assert [(item.mode, item.settings.regions) for item in listed] == [
        ('whole', 0),
        ('coarse', 0),
        ('two_stage', 2),
        ('two_stage', 4),
    ]
    assert {(item.settings.threshold, item.settings.fusion) for item in listed} == {(0.4, 'add')}
    assert [item.mode for item in list_candidates(settings, [], whole=False)] == ['coarse']
