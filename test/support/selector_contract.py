"""What every selector keeps to, as tests that its own test class inherits."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.logit_bytes import to_bytes
from stseg_ros.pipeline.selectors.region_selector import RegionSelector
from stseg_ros.records import CoarseResult, RegionSelection

GRID = (4, 8)
WORKING_HW = (128, 256)
COARSE_HW = (16, 32)
REGION_HW = (32, 32)
FACTOR = 8
COUNTS = (0, 1, 8, 40)


def coarse_of(logits_hw: np.ndarray) -> CoarseResult:
    """Round logits as an engine does."""
    return CoarseResult(logit_bytes_hw=to_bytes(np.asarray(logits_hw, np.float32)))


def blobs(seed: int) -> CoarseResult:
    """Draw a few soft blobs on a sure background, as coarse networks give."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: COARSE_HW[0], : COARSE_HW[1]]
    logits_hw = np.full(COARSE_HW, -6.0) + rng.normal(0.0, 0.5, COARSE_HW)
    for _ in range(rng.integers(1, 6)):
        top, left, size = rng.uniform(2, 14), rng.uniform(2, 30), rng.uniform(1.5, 6)
        logits_hw += rng.uniform(9, 12) * np.exp(-((y - top) ** 2 + (x - left) ** 2) / size**2)
    return coarse_of(logits_hw)


def flat(logit: float) -> CoarseResult:
    """Say the same of every pixel."""
    return coarse_of(np.full(COARSE_HW, logit))


MAPS = {
    **{f'blobs {seed}': blobs(seed) for seed in range(3)},
    'all doubtful': flat(0.0),
    'surely nothing': flat(-8.0),
    'surely all vehicle': flat(7.0),
}


class SelectorContract:
    """Inherit and say how the selector is made."""

    def make(self) -> RegionSelector:
        """Make a new selector for `GRID` and `WORKING_HW`."""
        raise NotImplementedError

    @pytest.fixture(params=MAPS, ids=str)
    def coarse(self, request: pytest.FixtureRequest) -> CoarseResult:
        return MAPS[request.param]

    def select(
        self, coarse: CoarseResult, regions: int, refine_below: float = 1.0
    ) -> RegionSelection:
        return self.make().select(coarse, regions=regions, refine_below=refine_below)

    @pytest.mark.parametrize('regions', COUNTS)
    def test_at_most_so_many_of_one_size_inside(self, coarse: CoarseResult, regions: int) -> None:
        selection = self.select(coarse, regions)
        assert len(selection) <= regions
        assert selection.boxes_xyxy.shape == (len(selection), 4)
        assert selection.score.shape == (len(selection),)
        assert (selection.boxes_xyxy.dtype, selection.score.dtype) == (np.int32, np.float32)
        for left, top, right, bottom in selection.boxes_xyxy.tolist():
            assert (bottom - top, right - left) == REGION_HW
            assert left >= 0
            assert top >= 0
            assert right <= WORKING_HW[1]
            assert bottom <= WORKING_HW[0]

    def test_one_that_does_not_vary_takes_all_it_may(self, coarse: CoarseResult) -> None:
        taken = {len(self.select(coarse, regions)) for regions in (3, 8)}
        assert self.make().varies or taken == {3, 8}

    def test_no_pixel_is_refined_twice(self, coarse: CoarseResult) -> None:
        cover = np.zeros(WORKING_HW, int)
        for left, top, right, bottom in self.select(coarse, 32).boxes_xyxy.tolist():
            cover[top:bottom, left:right] += 1
        assert cover.max() <= 1

    def test_least_confident_first(self, coarse: CoarseResult) -> None:
        score = self.select(coarse, 32).score
        assert (np.diff(score) >= 0).all()
        assert (score >= 0).all()
        assert (score <= 1).all()

    def test_equal_maps_give_equal_regions(self, coarse: CoarseResult) -> None:
        first, second = self.select(coarse, 8), self.select(coarse, 8)
        np.testing.assert_array_equal(first.boxes_xyxy, second.boxes_xyxy)
        np.testing.assert_array_equal(first.score, second.score)

    def test_more_regions_include_those_of_fewer(self, coarse: CoarseResult) -> None:
        few, many = (
            {tuple(box) for box in self.select(coarse, regions).boxes_xyxy.tolist()}
            for regions in (3, 8)
        )
        assert few <= many

    @pytest.mark.parametrize('refine_below', [0.0, 0.3, 0.9])
    def test_sure_regions_are_left_alone(self, coarse: CoarseResult, refine_below: float) -> None:
        assert (self.select(coarse, 32, refine_below).score < refine_below).all()

    def test_the_map_is_left_as_it_is(self, coarse: CoarseResult) -> None:
        frozen = CoarseResult(logit_bytes_hw=coarse.logit_bytes_hw.copy())
        frozen.logit_bytes_hw.flags.writeable = False
        self.select(frozen, 8)
        np.testing.assert_array_equal(frozen.logit_bytes_hw, coarse.logit_bytes_hw)

    def test_the_regions_outlive_the_map(self, coarse: CoarseResult) -> None:
        expected = self.select(coarse, 8)
        reused = CoarseResult(logit_bytes_hw=coarse.logit_bytes_hw.copy())
        selection = self.select(reused, 8)
        reused.logit_bytes_hw[...] = 77
        np.testing.assert_array_equal(selection.boxes_xyxy, expected.boxes_xyxy)
        np.testing.assert_array_equal(selection.score, expected.score)
