"""Tests of the boxes of single vehicles."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.pipeline.vehicle_boxes import find_vehicles


def drawn(rows: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a mask and probabilities from a drawing: digits are tenths, letters a to j too.

    Digits are vehicle; a is 0.0, b 0.1 and so on, and no vehicle.
    """
    lines = rows.split()
    mask_hw = np.array([[255 * char.isdigit() for char in line] for line in lines], np.uint8)
    tenths = [
        [int(char) if char.isdigit() else ord(char) - ord('a') for char in line] for line in lines
    ]
    return mask_hw, np.array(tenths, np.float32) / 10


DRAWING = """
    aaaaaaaa
    a69aa8aa
    a7aaaa8a
    aaaaaa8a
    jaaaaaaa
    99999jja
    9aaaaaaa
"""


def test_each_connected_part_has_its_box_and_mean_probability() -> None:
    vehicles = find_vehicles(*drawn(DRAWING), least_pixels=1)
    assert len(vehicles) == 3
    # Largest first. A part reaches over corners, and only its own pixels count: the probable ones
    # (j) around it do not.
    assert vehicles.boxes_xyxy.tolist() == [[0, 5, 5, 7], [1, 1, 3, 3], [5, 1, 7, 4]]
    assert vehicles.boxes_xyxy.dtype == np.int32
    assert vehicles.pixels.tolist() == [6, 3, 3]
    assert vehicles.score == pytest.approx([0.9, 2.2 / 3, 0.8])
    assert vehicles.score.dtype == np.float32


def test_the_pixels_of_another_part_inside_a_box_do_not_count() -> None:
    frame = """
        99999
        9aaa9
        9a1a9
        9aaa9
        99999
    """
    vehicles = find_vehicles(*drawn(frame), least_pixels=1)
    assert vehicles.boxes_xyxy.tolist() == [[0, 0, 5, 5], [2, 2, 3, 3]]
    assert vehicles.score == pytest.approx([0.9, 0.1])


@pytest.mark.parametrize(('least_pixels', 'found'), [(3, [6, 3, 3]), (4, [6]), (6, [6]), (7, [])])
def test_small_parts_are_left_out(least_pixels: int, found: list[int]) -> None:
    vehicles = find_vehicles(*drawn(DRAWING), least_pixels=least_pixels)
    assert vehicles.pixels.tolist() == found
    assert vehicles.boxes_xyxy.shape == (len(found), 4)
    assert vehicles.score.shape == (len(found),)


@pytest.mark.parametrize(('value', 'boxes'), [(0, []), (255, [[0, 0, 6, 4]])])
def test_an_even_mask_is_one_part_or_none(value: int, boxes: list[list[int]]) -> None:
    mask_hw = np.full((4, 6), value, np.uint8)
    probability_hw = np.full((4, 6), 0.75, np.float32)
    vehicles = find_vehicles(mask_hw, probability_hw, least_pixels=1)
    assert vehicles.boxes_xyxy.tolist() == boxes
    assert vehicles.score == pytest.approx([0.75] * len(boxes))


def test_against_a_flood_fill() -> None:
    random = np.random.default_rng(5)
    mask_hw = (random.random((40, 60)) > 0.7).astype(np.uint8) * 255
    probability_hw = random.random((40, 60), np.float32)
    expected = set()
    left = {(int(y), int(x)) for y, x in np.argwhere(mask_hw)}
    while left:
        part, border = [], [left.pop()]
        while border:
            y, x = border.pop()
            part.append((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            border += near
        ys, xs = zip(*part, strict=True)
        if len(part) >= 5:
            score = sum(float(probability_hw[place]) for place in part) / len(part)
            box = (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
            expected.add((*box, len(part), round(score, 4)))
    vehicles = find_vehicles(mask_hw, probability_hw, least_pixels=5)
    found = [
        (*box, pixels, round(score, 4))
        for box, pixels, score in zip(
            vehicles.boxes_xyxy.tolist(),
            vehicles.pixels.tolist(),
            vehicles.score.tolist(),
            strict=True,
        )
    ]
    assert len(found) > 20
    assert set(found) == expected
    assert vehicles.pixels.tolist() == sorted(vehicles.pixels.tolist(), reverse=True)
