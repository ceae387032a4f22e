"""Tests of what the figure of Dice and MACs shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from stseg_ros.measure.score_figure import draw_dice_and_macs


def rows(paper_share: float) -> list[dict[str, Any]]:
    """Return rows whose paper's count is so many times ours."""
    return [
        {
            'bundle': 'tiny',
            'grid': [4, 4],
            'mode': mode,
            'regions': regions,
            'dice': 0.8,
            'macs': 10**9 * (regions + 1),
            'paper_flops': 10**9 * (regions + 1) * paper_share,
        }
        for mode, regions in (('coarse', 0), ('two_stage', 2), ('two_stage', 4))
    ]


@pytest.mark.parametrize(
    ('paper_share', 'more'), [(1.0, []), (1.4, ["two-stage, the paper's count"])]
)
def test_the_legend_has_only_curves_that_can_be_seen(
    paper_share: float, more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, 'savefig', lambda figure, _: drawn.append(figure))
    draw_dice_and_macs(rows(paper_share), {'tiny': 4}, 'a set', Path('figure.png'))
    (legend,) = drawn[0].legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ['two-stage', 'chosen', 'coarse only', *more]
