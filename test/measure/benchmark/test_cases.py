"""Which cases there are."""

from __future__ import annotations

import pytest

from stseg_ros.bundle import Geometry
from stseg_ros.measure.benchmark.cases import (
    Case,
    camera_size,
    list_cases,
    most_regions,
    usual_counts,
)


def geometry(grid: tuple[int, int], max_regions: int) -> Geometry:
    return Geometry(working_hw=(128, 128), coarse_factor=8, grid=grid, max_regions=max_regions)


def test_every_size_has_every_way_to_run() -> None:
    references = ['reference', 'reference_torch']
    cases = list_cases([(90, 160), (60, 80)], [2, 4], whole=True, references=references)
    ways = [('whole', 0), ('coarse', 0)]
    ways += [(mode, count) for mode in ('two_stage', *references) for count in (2, 4)]
    expected = [(size, *way) for size in ('160x90', '80x60') for way in ways]
    assert [(case.size, case.mode, case.regions) for case in cases] == expected


def test_a_bundle_without_baseline_or_reference_has_the_rest() -> None:
    cases = list_cases([(90, 160)], [], whole=False, references=[])
    assert cases == [Case(size_hw=(90, 160), mode='coarse')]


@pytest.mark.parametrize(
    ('grid', 'max_regions', 'recommended', 'most', 'counts'),
    [
        ((4, 8), 32, 8, 32, [2, 4, 8, 16]),
        ((4, 4), 6, 5, 6, [2, 4, 5]),
        ((2, 2), 16, 0, 4, [2, 4]),
        ((1, 1), 16, 0, 1, [1]),
    ],
)
def test_usual_counts_are_those_that_the_bundle_can_refine(
    grid: tuple[int, int], max_regions: int, recommended: int, most: int, counts: list[int]
) -> None:
    assert most_regions(geometry(grid, max_regions)) == most
    assert usual_counts(geometry(grid, max_regions), recommended) == counts


@pytest.mark.parametrize(
    ('sizes_hw', 'expected'),
    [
        ([(480, 640), (720, 1280), (1080, 1920)], (720, 1280)),
        # 0.31 and 2.07 megapixels: a third and 2.25 times as many.
        ([(480, 640), (1080, 1920)], (1080, 1920)),
        ([(90, 160)], (90, 160)),
    ],
)
def test_cameras_are_timed_at_a_usual_cameras_size(
    sizes_hw: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    assert camera_size(sizes_hw) == expected
