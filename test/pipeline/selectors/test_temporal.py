"""Tests of the choice by the frame before."""

from __future__ import annotations

import numpy as np
from support.selector_contract import GRID, WORKING_HW, SelectorContract, blobs

from stseg_ros.pipeline.selectors.temporal import TemporalSelector
from stseg_ros.pipeline.selectors.uncertainty import MarginSelector
from stseg_ros.records import CoarseResult, RegionSelection


def margin() -> MarginSelector:
    return MarginSelector(grid=GRID, working_hw=WORKING_HW)


def boxes(selection: RegionSelection | None) -> list[list[int]]:
    assert selection is not None
    found: list[list[int]] = selection.boxes_xyxy.tolist()
    return found


def by_itself(coarse: CoarseResult) -> list[list[int]]:
    return boxes(margin().select(coarse, regions=4, refine_below=1.0))


class TestContract(SelectorContract):
    """The first frame."""

    def make(self) -> TemporalSelector:
        return TemporalSelector(margin())


class TestContractLater(SelectorContract):
    """A later frame."""

    def make(self) -> TemporalSelector:
        selector = TemporalSelector(margin())
        selector.observe(blobs(9))
        return selector


def test_each_frame_is_chosen_by_the_one_before() -> None:
    frames = [blobs(seed) for seed in range(4)]
    assert by_itself(frames[0]) != by_itself(frames[1]) != by_itself(frames[2])
    selector = TemporalSelector(margin())
    found = [boxes(selector.select(frame, regions=4, refine_below=1.0)) for frame in frames]
    assert found == [by_itself(frames[index]) for index in (0, 0, 1, 2)]


def test_regions_are_known_before_the_frame() -> None:
    selector = TemporalSelector(margin())
    assert selector.foresee(regions=4, refine_below=1.0) is None
    selector.observe(blobs(0))
    assert boxes(selector.foresee(regions=4, refine_below=1.0)) == by_itself(blobs(0))
    # Looking ahead changes nothing.
    assert boxes(selector.foresee(regions=4, refine_below=1.0)) == by_itself(blobs(0))


def test_reset_forgets() -> None:
    selector = TemporalSelector(margin())
    selector.observe(blobs(0))
    selector.reset()
    assert selector.foresee(regions=4, refine_below=1.0) is None
    found = boxes(selector.select(blobs(1), regions=4, refine_below=1.0))
    assert found == by_itself(blobs(1))


def test_the_memory_is_its_own() -> None:
    # An engine overwrites its output with the next frame.
    reused = CoarseResult(logit_bytes_hw=blobs(0).logit_bytes_hw.copy())
    selector = TemporalSelector(margin())
    selector.observe(reused)
    reused.logit_bytes_hw[...] = blobs(1).logit_bytes_hw
    assert boxes(selector.foresee(regions=4, refine_below=1.0)) == by_itself(blobs(0))
    assert np.any(blobs(0).logit_bytes_hw != blobs(1).logit_bytes_hw)


def test_two_cameras_do_not_share_a_memory() -> None:
    front, rear = TemporalSelector(margin()), TemporalSelector(margin())
    front.observe(blobs(0))
    assert rear.foresee(regions=4, refine_below=1.0) is None
