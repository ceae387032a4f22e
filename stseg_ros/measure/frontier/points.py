"""What the frontier compares: two stages at every budget, and single networks at every size."""

from __future__ import annotations

from dataclasses import dataclass

from stseg_ros.measure.candidates import COARSE, TWO_STAGE, WHOLE

SINGLE = 'single-stage'
# Bundles by what they are: the two-stage pair with its baseline, and the smaller single networks.
PAIR, QUARTER, HALF = 'pair', 'quarter', 'half'

REGIONS = (1, 2, 4, 8, 16, 32)
COMPARED_SELECTORS = ('grid', 'components')
DEFAULT = 'components K = 8'
# The share of the working size, in each axis, that a single network sees.
EIGHTH, FOURTH, MIDDLE, FULL = (f'{SINGLE} {share}' for share in ('1/8', '1/4', '1/2', '1/1'))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One way to segment a frame.

    Attributes:
        label: its name in tables, and its key in the figures.
        series: points of one series make a line.
        mode: 'whole', 'coarse' or 'two_stage', of its bundle.
        regions: regions refined per frame, at most; 0 but for 'two_stage'.
    """

    label: str
    series: str
    mode: str
    regions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Points that one opened bundle serves.

    Attributes:
        bundle: 'pair', 'quarter', 'half', or the name of a bundle of the paper's network.
        selector: chooses the regions.
        points: the points.
        paper: whether the bundle runs with the paper's settings.
    """

    bundle: str
    selector: str
    points: tuple[Point, ...]
    paper: bool = False

    @property
    def name(self) -> str:
        """Its key in the figures."""
        return f'{self.bundle}, {self.selector}'


def _two_stages(selector: str) -> tuple[Point, ...]:
    return tuple(
        Point(label=f'{selector} K = {count}', series=selector, mode=TWO_STAGE, regions=count)
        for count in REGIONS
    )


GROUPS = (
    Group(
        bundle=PAIR,
        selector='grid',
        points=(
            Point(label=EIGHTH, series=SINGLE, mode=COARSE),
            Point(label=FULL, series=SINGLE, mode=WHOLE),
            *_two_stages('grid'),
        ),
    ),
    Group(bundle=PAIR, selector='components', points=_two_stages('components')),
    Group(
        bundle=QUARTER,
        selector='grid',
        points=(Point(label=FOURTH, series=SINGLE, mode=WHOLE),),
    ),
    Group(
        bundle=HALF,
        selector='grid',
        points=(Point(label=MIDDLE, series=SINGLE, mode=WHOLE),),
    ),
)


# All of them in the order of tables: single stages by their size, then two stages by selector.
_SINGLES = (EIGHTH, FOURTH, MIDDLE, FULL)
POINTS = tuple(
    sorted(
        (point for group in GROUPS for point in group.points),
        key=lambda point: _SINGLES.index(point.label) if point.series == SINGLE else len(_SINGLES),
    )
)


def paper_group(bundle: str, parts: int, side: int) -> Group:
    """Name the points of a bundle of the paper's network.

    Args:
        bundle: the bundle's name.
        parts: its N_p, which is also the number of regions refined.
        side: of the frame, pixels.

    Returns:
        Coarse only, two stages as the paper has them, and the whole frame.
    """
    series = f"paper's U-Net, {side}x{side}, N_p = {parts}"
    ways = (('coarse', COARSE, 0), (f'K = {parts}', TWO_STAGE, parts), ('whole', WHOLE, 0))
    return Group(
        bundle=bundle,
        selector='grid',
        points=tuple(
            Point(label=f'{series}, {name}', series=series, mode=mode, regions=regions)
            for name, mode, regions in ways
        ),
        paper=True,
    )
