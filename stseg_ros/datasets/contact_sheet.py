"""A contact sheet of labelled images: vehicles tinted, ignored pixels hatched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stseg_ros.datasets.labels import IGNORE, VEHICLE
from stseg_ros.records import UInt8Array

MOST_TILES = 24
_TILE_WIDTH = 480
_HIGHEST_TILE = 480
_COLUMNS = 4
_GAP = 12
_CAPTION_HEIGHT = 26
_TITLE_HEIGHT = 56

_PAPER_RGB = (24, 26, 30)
_TEXT_RGB = (228, 230, 235)
_FAINT_RGB = (150, 155, 165)
_VEHICLE_RGB = (255, 96, 0)
_OUTLINE_RGB = (255, 214, 160)
_TINT = 0.45
# Diagonal stripes: two pixels of every eight.
_HATCH_PERIOD, _HATCH_WIDTH = 8, 2
_HATCH_RGB = (170, 175, 185)
_DIMMED = 0.5
_FONT = cv2.FONT_HERSHEY_DUPLEX
_SMALL, _LARGE = 0.5, 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """One image of a contact sheet.

    Attributes:
        caption: text below it, left.
        note: text below it, right.
        picture_hwc: (h, w, 3) uint8 RGB, w being the same for all tiles.
    """

    caption: str
    note: str
    picture_hwc: UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """The tiles of one split.

    Attributes:
        title: text above them; how many are shown is added.
        tiles: at least one.
        images: number of images that they stand for.
    """

    title: str
    tiles: Sequence[Tile]
    images: int


def draw_tile(name: str, image_hwc: UInt8Array, vehicle_hw: UInt8Array) -> Tile:
    """Draw one image with its mask, small.

    Args:
        name: caption.
        image_hwc: (H, W, 3) uint8 RGB.
        vehicle_hw: (H, W) uint8 of 0, 1 and 255 (ignore).

    Returns:
        The tile.
    """
    size_wh = _tile_size(vehicle_hw.shape[1], vehicle_hw.shape[0])
    picture_hwc = np.array(cv2.resize(image_hwc, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    ignored_hw = cv2.resize((vehicle_hw == IGNORE).astype(np.uint8), size_wh, interpolation=0) > 0
    # Vehicles far away are smaller than a pixel here; by area they keep their place.
    covered_hw = cv2.resize(
        (vehicle_hw == VEHICLE).astype(np.uint8) * 255, size_wh, interpolation=cv2.INTER_AREA
    )
    is_vehicle_hw = covered_hw > 96
    _hatch(picture_hwc, ignored_hw & ~is_vehicle_hw)
    tint = np.array(_VEHICLE_RGB, np.float32)
    mixed = (1 - _TINT) * picture_hwc[is_vehicle_hw] + _TINT * tint
    picture_hwc[is_vehicle_hw] = np.rint(mixed).astype(np.uint8)
    outlines, _ = cv2.findContours(
        is_vehicle_hw.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(picture_hwc, outlines, -1, _OUTLINE_RGB, 1)
    share = np.count_nonzero(vehicle_hw == VEHICLE) / vehicle_hw.size
    return Tile(caption=name, note=f'{share:.1%}', picture_hwc=_on_paper(picture_hwc))


def draw_sheet(sections: Sequence[Section]) -> UInt8Array:
    """Lay tiles out in rows under the titles of their sections, with a legend.

    Args:
        sections: at least one; about 24 tiles are drawn, an equal share of each section, evenly
            spread over it.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    strips: list[UInt8Array] = []
    for section, count in zip(sections, _shares(sections), strict=True):
        spread = np.linspace(0, len(section.tiles) - 1, count).astype(int)
        shown = [section.tiles[index] for index in spread]
        images = f'{section.images} images' if section.images != 1 else '1 image'
        title = f'{section.title}: {images if count == section.images else f"{count} of {images}"}'
        strips.append(_title_strip(title, with_legend=not strips))
        strips += [
            _row_strip(shown[index : index + _COLUMNS]) for index in range(0, len(shown), _COLUMNS)
        ]
    return np.vstack(strips)


def _shares(sections: Sequence[Section]) -> list[int]:
    """Return how many tiles each section shows: whole rows, where it has that many.

    A section of few leaves its rows to the others.
    """
    shares = [0] * len(sections)
    rows_left = MOST_TILES // _COLUMNS
    smallest_first = sorted(range(len(sections)), key=lambda index: len(sections[index].tiles))
    for done, index in enumerate(smallest_first):
        needed = -(-len(sections[index].tiles) // _COLUMNS)
        rows = min(needed, max(1, rows_left // (len(sections) - done)))
        shares[index] = min(len(sections[index].tiles), rows * _COLUMNS)
        rows_left -= rows
    return shares


def _tile_size(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) that fits a tile; an upright image becomes narrower."""
    scale = min(_TILE_WIDTH / width, _HIGHEST_TILE / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _on_paper(picture_hwc: UInt8Array) -> UInt8Array:
    """Centre a picture narrower than a tile."""
    height, width = picture_hwc.shape[:2]
    tile = np.full((height, _TILE_WIDTH, 3), _PAPER_RGB, np.uint8)
    left = (_TILE_WIDTH - width) // 2
    tile[:, left : left + width] = picture_hwc
    return tile


def _hatch(picture_hwc: UInt8Array, where_hw: npt.NDArray[np.bool_]) -> None:
    """Dim and stripe pixels, in place."""
    y, x = np.indices(where_hw.shape, sparse=True)
    stripes_hw = where_hw & ((x + y) % _HATCH_PERIOD < _HATCH_WIDTH)
    picture_hwc[where_hw] = (picture_hwc[where_hw] * _DIMMED).astype(np.uint8)
    picture_hwc[stripes_hw] = _HATCH_RGB


def _row_strip(tiles: Sequence[Tile]) -> UInt8Array:
    """Draw tiles side by side; their pictures stand on one line."""
    height = max(tile.picture_hwc.shape[0] for tile in tiles)
    strip = _paper(height + _CAPTION_HEIGHT + _GAP)
    base = height + 19
    for column, tile in enumerate(tiles):
        left = _GAP + column * (_TILE_WIDTH + _GAP)
        above = height - tile.picture_hwc.shape[0]
        strip[above:height, left : left + _TILE_WIDTH] = tile.picture_hwc
        note_width = _text_width(tile.note, _SMALL)
        caption = _shortened(tile.caption, _TILE_WIDTH - note_width - 16, _SMALL)
        _write(strip, caption, (left, base), _SMALL, _TEXT_RGB)
        _write(strip, tile.note, (left + _TILE_WIDTH - note_width, base), _SMALL, _FAINT_RGB)
    return strip


def _title_strip(title: str, *, with_legend: bool) -> UInt8Array:
    strip = _paper(_TITLE_HEIGHT)
    right = strip.shape[1] - _GAP
    for text in ('ignored', 'vehicle') if with_legend else ():
        right -= _text_width(text, _SMALL)
        _write(strip, text, (right, 36), _SMALL, _FAINT_RGB)
        right -= 44
        swatch = strip[22:40, right : right + 34]
        swatch[:] = _VEHICLE_RGB
        if text == 'ignored':
            swatch[:] = _FAINT_RGB
            _hatch(swatch, np.ones(swatch.shape[:2], np.bool_))
        right -= 28
    _write(strip, _shortened(title, right - _GAP, _LARGE), (_GAP, 38), _LARGE, _TEXT_RGB)
    return strip


def _paper(height: int) -> UInt8Array:
    return np.full((height, _GAP + _COLUMNS * (_TILE_WIDTH + _GAP), 3), _PAPER_RGB, np.uint8)


def _shortened(text: str, width: int, scale: float) -> str:
    """Cut the middle out of a text that is too wide; drive and number are at its ends."""
    # OpenCV's font has no other letters.
    text = text.encode('ascii', 'replace').decode()
    kept = len(text)
    shown = text
    while _text_width(shown, scale) > width and kept > 2:
        kept -= 1
        shown = f'{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}'
    return shown


def _text_width(text: str, scale: float) -> int:
    width: int = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    return width


def _write(
    sheet: UInt8Array,
    text: str,
    at_xy: tuple[int, int],
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    cv2.putText(sheet, text, at_xy, _FONT, scale, colour, 1, cv2.LINE_AA)
