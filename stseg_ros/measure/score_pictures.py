"""Pictures of what was found, missed and falsely found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.measure import pixel_metrics
from stseg_ros.measure.evaluate import CandidateScore, LabelledFrame
from stseg_ros.measure.pixel_metrics import IGNORE, count_pixels
from stseg_ros.records import SegmentationResult, UInt8Array

_HIT_RGB, _MISS_RGB, _ALARM_RGB = (40, 140, 255), (255, 40, 60), (255, 225, 0)
_LEGEND = (
    ('found', _HIT_RGB),
    ('missed', _MISS_RGB),
    ('false alarm', _ALARM_RGB),
    ('refined region', (255, 255, 255)),
    ('ignored', (60, 60, 60)),
)
_WORST, _BEST, _MEDIAN, _ONLY = PICTURE_LABELS = ('worst', 'best', 'median', 'only')
_TINT = 0.6
_IGNORED_BRIGHTNESS = 0.35
_PANEL_WIDTH = 800
_STRIP_HEIGHT = 28
_TEXT_RGB = (235, 235, 235)
_GAP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureChoice:
    """An image worth looking at.

    Attributes:
        label: 'best_1', 'median_2', 'worst_3' and so on, or 'only_1'.
        index: its place in the set.
    """

    label: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownResult:
    """A segmentation to be shown.

    Attributes:
        title: how it came about.
        result: the segmentation.
    """

    title: str
    result: SegmentationResult


def choose_pictures(score: CandidateScore, count: int) -> list[PictureChoice]:
    """Choose the best, the median and the worst images by Dice.

    Images without a vehicle score 0 or 1 and are left out where others are there.

    Args:
        score: of the candidate that decides.
        count: so many of each; fewer where there are fewer images: of two, the best and the
            worst, and a single one is named so.

    Returns:
        No image twice.
    """
    pixels = [image.pixels for image in score.images]
    eligible = [index for index, counts in enumerate(pixels) if counts.tp + counts.fn]
    ranked = sorted(
        eligible or range(len(pixels)), key=lambda index: -pixel_metrics.dice(pixels[index])
    )
    if len(ranked) == 1:
        groups = {_ONLY: ranked[:count]}
    else:
        # What cannot be shared out evenly goes to the worst first.
        worst, best, median = (min(count, (len(ranked) + more) // 3) for more in (2, 1, 0))
        first = best + (len(ranked) - worst - best - median) // 2
        groups = {
            _WORST: ranked[::-1][:worst],
            _BEST: ranked[:best],
            _MEDIAN: ranked[first : first + median],
        }
    return [
        PictureChoice(label=f'{name}_{place}', index=index)
        for name, indices in groups.items()
        for place, index in enumerate(indices, start=1)
    ]


def draw_comparison(labelled: LabelledFrame, shown: Sequence[ShownResult]) -> UInt8Array:
    """Draw input, truth and segmentations in two columns, with a legend below.

    Args:
        labelled: the image and its truth.
        shown: segmentations of that image.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    image_hwc, truth_hw = labelled.image_hwc, labelled.vehicle_hw
    vehicle = np.count_nonzero(truth_hw == 1) / truth_hw.size
    panels = [
        _panel(image_hwc, f'input: {labelled.name}'),
        _panel(_tint(image_hwc, truth_hw, truth_hw == 1), f'truth: {vehicle:.1%} vehicle'),
    ]
    for item in shown:
        dice = pixel_metrics.dice(count_pixels(item.result.mask_hw, truth_hw))
        tinted_hwc = _tint(image_hwc, truth_hw, item.result.mask_hw != 0)
        _frame_regions(tinted_hwc, item.result)
        panels.append(_panel(tinted_hwc, f'{item.title}: Dice {dice:.3f}'))
    if len(panels) % 2:
        panels.append(np.zeros_like(panels[0]))
    gap = np.zeros((panels[0].shape[0], _GAP, 3), np.uint8)
    rows = [
        np.hstack([left, gap, right])
        for left, right in zip(panels[::2], panels[1::2], strict=True)
    ]
    picture = np.vstack([*rows, _legend(rows[0].shape[1])])
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)


def _tint(
    image_hwc: UInt8Array, truth_hw: UInt8Array, mask_hw: npt.NDArray[np.bool_]
) -> UInt8Array:
    """Colour what was found, missed and falsely found, and darken what is ignored."""
    tinted = image_hwc.astype(np.float32)
    truth, known = truth_hw == 1, truth_hw != IGNORE
    for colour, chosen in (
        (_HIT_RGB, truth & mask_hw),
        (_MISS_RGB, truth & ~mask_hw),
        (_ALARM_RGB, mask_hw & ~truth & known),
    ):
        tinted[chosen] = (1.0 - _TINT) * tinted[chosen] + _TINT * np.array(colour, np.float32)
    tinted[~known] *= _IGNORED_BRIGHTNESS
    return np.rint(tinted).astype(np.uint8)


def _frame_regions(picture_hwc: UInt8Array, result: SegmentationResult) -> None:
    """Frame the refined regions just inside their edges, in place."""
    for left, top, right, bottom in result.boxes_in_camera_xyxy().tolist():
        cv2.rectangle(picture_hwc, (left, top), (right - 1, bottom - 1), (255, 255, 255), 1)


def _panel(picture_hwc: UInt8Array, title: str) -> UInt8Array:
    """Bring a picture to the panel's width and write its title above it."""
    height, width = picture_hwc.shape[:2]
    size_wh = (_PANEL_WIDTH, max(1, round(height * _PANEL_WIDTH / width)))
    enlarging = width < _PANEL_WIDTH
    scaled = cv2.resize(
        picture_hwc, size_wh, interpolation=cv2.INTER_CUBIC if enlarging else cv2.INTER_AREA
    )
    strip = np.zeros((_STRIP_HEIGHT, _PANEL_WIDTH, 3), np.uint8)
    _write(strip, title, 8, _TEXT_RGB)
    return np.vstack([strip, np.asarray(scaled, np.uint8)])


def _legend(width: int) -> UInt8Array:
    strip = np.zeros((_STRIP_HEIGHT, width, 3), np.uint8)
    left = 8
    for name, colour in _LEGEND:
        cv2.rectangle(strip, (left, 9), (left + 18, 21), colour, -1)
        _write(strip, name, left + 26, _TEXT_RGB)
        left += 26 + 10 * len(name) + 24
    return strip


def _write(strip_hwc: UInt8Array, text: str, left: int, colour: tuple[int, int, int]) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(strip_hwc, text, (left, 20), font, 0.55, colour, 1, cv2.LINE_AA)
