"""Train the shipped recipe with several seeds, score the runs, and write docs/results.md.

    .venv/bin/python docs/make_results.py --data ~/data --runs runs --seeds 0 1 2

Runs that are finished are not trained again. Needs requirements/train.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stseg_ros.cli import main as stseg
from stseg_ros.measure.seed_report import (
    SeedTable,
    draw_frontier,
    markdown_table,
    seed_table,
    verdict,
)

DOCS = Path(__file__).parent
RECIPE = DOCS.parent / 'config' / 'train' / 'driving_small.yaml'
FIGURE = 'results.png'
# The networks see probabilities above a half as vehicle here, so that none has a threshold chosen
# for it.
COMMON = ('--threshold', '0.5', '--fusion', 'add', '--regions', '2,4,8,16,32')
CHOSEN_REGIONS = 8

SETS = {
    'CamVid val': ('camvid', '--split', 'val'),
    'CamVid drive 0006R0, left out of training': (
        'camvid', '--split', 'train', '--only', '0006R0*',
    ),
    'synthetic scenes': ('synthetic', '--scenes', '50'),
    'BDD100K val, a smoke test': ('bdd100k', '--split', 'val'),
}  # fmt: skip

INTRODUCTION = """\
# Results of the shipped recipe

Written by `docs/make_results.py`, which trains `config/train/driving_small.yaml` once per seed and
scores each run with `stseg evaluate`; the figures behind the tables are in `docs/results.json`.
Each figure is the mean over the seeds, with the lowest and the highest in brackets. All networks
of a table have the same architecture; `whole` is one network on the whole frame at the working
size, and its training steps saw as many pixels as those of stage 2. A pixel is vehicle above a
probability of 0.5; two stages add the logits. Scores are pooled over all pixels, at the images'
own size.

CamVid val is one run of a drive of which other parts are in the training set, so it flatters every
model; drive 0006R0 was kept out of training altogether. The six BDD100K images are a smoke test.
"""


def check(status: int) -> None:
    """Stop where a verb failed; it has said why."""
    if status:
        sys.exit(status)


def evaluate(run: Path, data: Path, arguments: Sequence[str], path: Path) -> dict[str, Any]:
    """Score one run on one set, or read what that gave earlier."""
    if not path.is_file():
        dataset, *rest = arguments
        where = [] if dataset == 'synthetic' else ['--data', str(data / dataset)]
        what = ['evaluate', '--run', str(run), '--dataset', dataset, '--json', str(path)]
        check(stseg([*what, *where, *rest, *COMMON]))
    document: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    return document


def report(tables: Sequence[SeedTable], minutes: str) -> str:
    """Put the page together."""
    verdicts = '\n'.join(
        f'- {text}' for table in tables if (text := verdict(table, CHOSEN_REGIONS))
    )
    parts = [
        INTRODUCTION,
        f'![Dice against multiply-accumulates]({FIGURE})\n',
        f'## What two stages gain and lose, seed by seed\n\n{verdicts}\n',
        '## Scores\n',
        *(markdown_table(table) for table in tables),
        f'## Training\n\n{minutes}',
    ]
    return '\n'.join(parts)


def training_table(runs: dict[int, Path]) -> str:
    """List how long each network trained, and on what."""
    from stseg_ros.training.run_files import read_facts

    lines = [
        '| seed | network | steps | minutes | images/s | arithmetic | threads |',
        '| --- ' * 7 + '|',
    ]
    for seed, run in runs.items():
        facts = read_facts(run)
        for stage in ('coarse', 'refine', 'whole'):
            values = facts[stage]
            cells = [
                seed,
                stage,
                *(
                    values[name]
                    for name in ('steps', 'minutes', 'images_per_s', 'arithmetic', 'threads')
                ),
            ]
            lines.append(f'| {" | ".join(str(cell) for cell in cells)} |')
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Train, score and write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--data', type=Path, required=True, help='folder with the data sets')
    parser.add_argument('--runs', type=Path, required=True, help='folder for the runs')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    arguments = parser.parse_args()
    runs = {seed: arguments.runs / f'seed{seed}' for seed in arguments.seeds}
    for seed, run in runs.items():
        what = ['train', str(RECIPE), '--data', str(arguments.data), '--output', str(run)]
        check(stseg([*what, f'--seed={seed}']))
    documents = {
        title: {
            seed: evaluate(run, arguments.data, rest, run / f'{rest[0]}_{place}.json')
            for seed, run in runs.items()
        }
        for place, (title, rest) in enumerate(SETS.items())
    }
    tables = [seed_table(title, by_seed) for title, by_seed in documents.items()]
    draw_frontier(tables, DOCS / FIGURE)
    (DOCS / 'results.md').write_text(report(tables, training_table(runs)), encoding='utf-8')
    plain = {
        title: {str(seed): document['results'] for seed, document in by_seed.items()}
        for title, by_seed in documents.items()
    }
    (DOCS / 'results.json').write_text(json.dumps(plain, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
