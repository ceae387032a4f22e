"""The table of an evaluation, for terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HEADER = (
    'mode', 'K', 'Dice', 'soft', 'mean', 'IoU', 'prec', 'recall', 'border',
    'small', 'medium', 'large', 'alarms', 'GMAC', 'best at',
)  # fmt: skip
LEGEND = """\
Dice, IoU, prec, recall: pooled over all pixels; soft: of the probabilities; mean: of the images'
Dice; border: Boundary Dice; small, medium, large: share of such vehicles' pixels found;
alarms: components without a vehicle per image; best at: the best Dice any threshold gives here"""


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the results of one bundle.

    Args:
        rows: of `score_rows.full_row`.

    Returns:
        Lines of aligned columns, the header first.
    """
    cells = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    return '\n'.join(
        '  '.join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    mode = f'{row["mode"]}, {row["fusion"]}' if 'fusion' in row else str(row['mode'])
    best = row['best_threshold']
    pooled = ('dice', 'soft_dice', 'mean_image_dice', 'iou', 'precision', 'recall')
    sizes = [counts['recall'] for counts in row['by_size'].values()]
    return (
        mode,
        str(row['regions']) if 'fusion' in row else '',
        *(f'{row[name]:.3f}' for name in pooled),
        f'{row["boundary_dice"]:.3f}',
        *('-' if share is None else f'{share:.3f}' for share in sizes),
        f'{row["false_alarms_per_image"]:.2f}',
        f'{row["macs"] / 1e9:.2f}',
        f'{best["dice"]:.3f} at {best["threshold"]:.2f}',
    )
