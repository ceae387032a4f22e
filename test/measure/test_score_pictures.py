from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.config import SegmenterSettings
from stseg_ros.measure.candidates import Candidate
from stseg_ros.measure.evaluate import CandidateScore, LabelledFrame
from stseg_ros.measure.image_scores import prepare_truth, score_image
from stseg_ros.measure.score_pictures import ShownResult, choose_pictures, draw_comparison
from stseg_ros.records import FrameTiming, RegionSelection, SegmentationResult


def result_of(mask_hw: np.ndarray, boxes: list[list[int]] | None = None) -> SegmentationResult:
    boxes_xyxy = np.array(boxes or [], np.int32).reshape(-1, 4)
    return SegmentationResult(
        mask_hw=mask_hw,
        logit_bytes_hw=np.where(mask_hw > 0, 200, 50).astype(np.uint8),
        selection=RegionSelection(
            boxes_xyxy=boxes_xyxy, score=np.zeros(len(boxes_xyxy), np.float32)
        ),
        timing=FrameTiming(),
        stamp_ns=0,
        frame_id='',
    )


def score_of(found_columns: list[int]) -> CandidateScore:
    """Of each truth of 10 columns so many are found; -1 stands for an image without vehicles."""
    images = []
    for columns in found_columns:
        truth_hw, mask_hw = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
        truth_hw[:, : 0 if columns < 0 else 10] = 1
        mask_hw[:, : max(columns, 0)] = 255
        images.append(score_image(result_of(mask_hw), prepare_truth(truth_hw)))
    return CandidateScore(
        candidate=Candidate(mode='coarse', settings=SegmenterSettings(regions=0)),
        names=tuple(str(index) for index in range(len(images))),
        images=tuple(images),
    )


def test_best_median_and_worst() -> None:
    choices = choose_pictures(score_of([5, -1, 9, 1, 7, 3]), 1)
    assert {choice.label: choice.index for choice in choices} == {
        'worst_1': 3,
        'best_1': 2,
        'median_1': 0,
    }


@pytest.mark.parametrize(
    ('found', 'count', 'expected'),
    [
        ([5], 3, {'only_1': 5}),
        ([5, 9], 3, {'worst_1': 5, 'best_1': 9}),
        ([5, 9, 7], 3, {'worst_1': 5, 'median_1': 7, 'best_1': 9}),
        ([5, 9, 7, 1], 3, {'worst_1': 1, 'worst_2': 5, 'median_1': 7, 'best_1': 9}),
        (
            [0, 1, 2, 3, 4, 5, 6, 7, 8],
            2,
            {'worst_1': 0, 'worst_2': 1, 'median_1': 5, 'median_2': 4, 'best_1': 8, 'best_2': 7},
        ),
    ],
)
def test_few_images_are_shared_out_and_named_rightly(
    found: list[int], count: int, expected: dict[str, int]
) -> None:
    choices = choose_pictures(score_of(found), count)
    assert {choice.label: found[choice.index] for choice in choices} == expected
    assert len(choices) == len(expected)


def test_images_without_vehicles_are_shown_where_there_are_no_others() -> None:
    assert len(choose_pictures(score_of([-1, -1]), 1)) == 2


def test_errors_have_their_colours() -> None:
    """Drawn at panel width nothing is resized: the left panel starts below its title."""
    truth_hw = np.zeros((100, 800), np.uint8)
    truth_hw[:, :400], truth_hw[:, 700:] = 1, 255
    mask_hw = np.zeros((100, 800), np.uint8)
    mask_hw[:, 200:600] = 255
    image_hwc = np.full((100, 800, 3), 100, np.uint8)
    labelled = LabelledFrame(image_hwc=image_hwc, vehicle_hw=truth_hw, name='street')
    shown = [ShownResult(title='coarse only', result=result_of(mask_hw, [[0, 0, 50, 100]]))]
    picture = draw_comparison(labelled, shown)
    panel = picture[-28 - 100 : -28, :800]
    missed, found, alarm, quiet, ignored = (panel[50, x] for x in (100, 300, 500, 650, 750))
    assert missed[2] > 150 > missed[0]
    assert found[0] > 150 > found[2]
    assert min(alarm[1], alarm[2]) > 150 > alarm[0]
    assert quiet.tolist() == [100, 100, 100]
    assert ignored.tolist() == [35, 35, 35]
    assert panel[50, 0].tolist() == [255, 255, 255]
    # Two columns of 800 with a gap, two rows of a title and a picture, and the legend.
    assert picture.shape == (2 * 128 + 28, 2 * 800 + 4, 3)
