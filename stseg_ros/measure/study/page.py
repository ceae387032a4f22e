"""The study's tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from stseg_ros.measure.seed_report import Spread
from stseg_ros.measure.study.merging import MEANINGS
from stseg_ros.measure.study.rows import Scores, difference, regret
from stseg_ros.measure.study.score import COARSE, ORACLE, Choice


def criterion_table(scores: Scores, *, fusion: str, regions: int, regrets: Sequence[int]) -> str:
    """Compare the criteria under one fusion.

    Args:
        scores: of one set.
        fusion: the fusion.
        regions: K of which Dice, borders and small vehicles are shown.
        regrets: values of K of which the regret is shown.

    Returns:
        Markdown that ends in a line break.
    """
    head = [
        'criterion',
        f'Dice, K = {regions}',
        'regions refined',
        'Dice near borders',
        'small found',
        *(f'regret, K = {count}' for count in regrets),
    ]
    lines = [_line(head), '| --- ' * len(head) + '|']
    coarse = scores[Choice(criterion=COARSE, fusion='', regions=0)]
    rest = [''] * len(regrets)
    lines.append(
        _line([COARSE, str(coarse['dice']), '0', *_close(coarse), *rest]),
    )
    for criterion in _criteria(scores, fusion):
        chosen = Choice(criterion=criterion, fusion=fusion, regions=regions)
        figures = scores[chosen]
        cells = [criterion, str(figures['dice']), f'{figures["mean_regions"].mean:.1f}']
        cells += _close(figures)
        for count in regrets:
            other = Choice(criterion=criterion, fusion=fusion, regions=count)
            cells.append('' if criterion == ORACLE else str(regret(scores, other, ORACLE)))
        lines.append(_line(cells))
    return '\n'.join(lines) + '\n'


def fusion_table(
    scores: Scores, *, criteria: Sequence[str], regions: Sequence[int], fusions: Sequence[str]
) -> str:
    """Compare the fusions under some criteria.

    Args:
        scores: of one set.
        criteria: the criteria.
        regions: values of K.
        fusions: the fusions.

    Returns:
        Markdown of Dice that ends in a line break.
    """
    head = ['fusion', *(f'{name}, K = {count}' for name in criteria for count in regions)]
    lines = [_line(head), '| --- ' * len(head) + '|']
    for fusion in fusions:
        choices = [
            Choice(criterion=name, fusion=fusion, regions=count)
            for name in criteria
            for count in regions
        ]
        lines.append(_line([fusion, *(str(scores[choice]['dice']) for choice in choices)]))
    return '\n'.join(lines) + '\n'


def fusion_meanings(fusions: Sequence[str]) -> str:
    """Say what the fusions are.

    Args:
        fusions: their names.

    Returns:
        A Markdown list that ends in a line break.
    """
    return ''.join(f'- `{name}`: {MEANINGS[name]}\n' for name in fusions)


def against(scores: Scores, first: Choice, second: Choice) -> str:
    """Say what one choice gains over another.

    Args:
        scores: of one set.
        first: a choice.
        second: the one it is compared with.

    Returns:
        The difference of Dice of each run.
    """
    return ', '.join(f'{value:+.3f}' for value in difference(scores, first, second).values)


def _criteria(scores: Scores, fusion: str) -> list[str]:
    """List the criteria that a fusion was combined with, the oracle first."""
    names = dict.fromkeys(choice.criterion for choice in scores if choice.fusion == fusion)
    return sorted(names, key=lambda name: name != ORACLE)


def _close(figures: dict[str, Spread]) -> list[str]:
    return [str(figures.get(name, '')) for name in ('border_dice', 'small_recall')]


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'
