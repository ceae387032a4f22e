"""The curves of a run as one picture."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.training.prior_config import fold_of_stage, kind_of_stage
from stseg_ros.training.run_log import LOG

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = 'curves.png'
_PANELS = (
    ('loss', 'loss (mean of 50 steps)'),
    ('dev_dice', 'Dice on held-out images'),
    ('learning_rate', 'learning rate'),
)
_COLOURS = {'coarse': '#5b8def', 'refine': '#d1495b', 'whole': '#66a182'}


def draw_curves(run_dir: Path) -> None:
    """Draw loss, held-out Dice and learning rate of all stages over the steps.

    Args:
        run_dir: folder of the run; the picture goes there, and nothing is drawn before the log has
            lines.
    """
    # The figure class alone, not pyplot: no display, no global state.
    from matplotlib.figure import Figure

    with (run_dir / LOG).open(newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        return
    figure = Figure(figsize=(12, 3.4), layout='constrained')
    axes = figure.subplots(1, len(_PANELS))
    for panel, (field, title) in zip(axes, _PANELS, strict=True):
        _draw_panel(panel, rows, field)
        panel.set_title(title, fontsize='medium')
        panel.set_xlabel('step')
        panel.grid(alpha=0.3)
        panel.spines[['top', 'right']].set_visible(False)
    axes[1].set_ylim(0.0, 1.0)
    axes[0].legend(frameon=False)
    figure.savefig(run_dir / CURVES)


def _draw_panel(panel: Axes, rows: list[dict[str, str]], field: str) -> None:
    for stage in dict.fromkeys(row['stage'] for row in rows):
        points = [
            (int(row['step']), float(row[field]))
            for row in rows
            if row['stage'] == stage and row[field]
        ]
        panel.plot(
            [step for step, _ in points],
            [value for _, value in points],
            color=_COLOURS[kind_of_stage(stage)],
            linestyle='-' if fold_of_stage(stage) is None else ':',
            marker='.' if field == 'dev_dice' else '',
            linewidth=1.4,
            label=stage,
        )
