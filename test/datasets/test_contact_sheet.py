"""Tests of the contact sheet."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.datasets import contact_sheet
from stseg_ros.datasets.contact_sheet import Section, Tile, draw_sheet, draw_tile


def marks(count: int, value: int) -> list[Tile]:
    """Return grey tiles of one value and 100 pixels height."""
    picture = np.full((100, 480, 3), value, np.uint8)
    return [Tile(caption=f'{value}_{i}', note='0%', picture_hwc=picture) for i in range(count)]


def shown(sheet: np.ndarray, value: int) -> float:
    """Count tiles of a value by their pixels, which no text or paper has in that number."""
    return float((sheet == value).all(axis=2).sum() / (100 * 480))


def test_vehicles_are_tinted_and_ignored_pixels_striped() -> None:
    vehicle_hw = np.zeros((240, 480), np.uint8)
    vehicle_hw[100:200, 100:200] = 1
    vehicle_hw[:, 300:] = 255
    tile = draw_tile('a', np.full((240, 480, 3), 100, np.uint8), vehicle_hw)
    picture = tile.picture_hwc
    assert picture.shape == (240, 480, 3)
    assert picture[50, 50].tolist() == [100, 100, 100]
    # 55 % of 100 and 45 % of (255, 96, 0).
    assert picture[150, 150].tolist() == [170, 98, 55]
    stripes = {tuple(pixel) for pixel in picture[10, 310:470].tolist()}
    assert stripes == {(50, 50, 50), (170, 175, 185)}
    assert tile.note == '8.7%'


@pytest.mark.parametrize(
    ('size_hw', 'tile_hw'),
    [((375, 1242), (145, 480)), ((720, 1280), (270, 480)), ((960, 480), (480, 480))],
)
def test_tiles_are_of_one_width(size_hw: tuple[int, int], tile_hw: tuple[int, int]) -> None:
    vehicle_hw = np.zeros(size_hw, np.uint8)
    tile = draw_tile('a', np.zeros((*size_hw, 3), np.uint8), vehicle_hw)
    assert tile.picture_hwc.shape == (*tile_hw, 3)


@pytest.mark.parametrize(
    ('tiles', 'expected'),
    [
        ((1,), (1,)),
        ((24,), (24,)),
        ((24, 24), (12, 12)),
        # Two rows of the six are enough for the first; the other gets the rest.
        ((6, 24), (6, 16)),
        # More sections than rows: each still shows one.
        ((9,) * 7, (4,) * 7),
    ],
)
def test_sections_share_the_sheet(tiles: tuple[int, ...], expected: tuple[int, ...]) -> None:
    values = range(60, 60 + len(tiles))
    sheet = draw_sheet(
        [
            Section(title='t', tiles=marks(count, value), images=count)
            for count, value in zip(tiles, values, strict=True)
        ]
    )
    assert tuple(round(shown(sheet, value)) for value in values) == expected


@pytest.mark.parametrize(
    ('tiles', 'images', 'expected'),
    [(24, 367, 't: 24 of 367 images'), (5, 5, 't: 5 images'), (1, 1, 't: 1 image')],
)
def test_titles_tell_how_many_are_shown(
    tiles: int, images: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(contact_sheet, '_write', lambda _sheet, text, *_: written.append(text))
    draw_sheet([Section(title='t', tiles=marks(tiles, 60), images=images)])
    assert expected in written


def test_long_and_foreign_names_fit() -> None:
    tile = draw_tile('straße_' * 40, np.zeros((48, 48, 3), np.uint8), np.zeros((48, 48), np.uint8))
    sheet = draw_sheet([Section(title='x' * 500, tiles=[tile], images=1)])
    assert sheet.shape[1] == 12 + 4 * 492
    right_of_tile = sheet[60:, 12 + 480 + 3 :]
    assert (right_of_tile == right_of_tile[0, 0]).all()
